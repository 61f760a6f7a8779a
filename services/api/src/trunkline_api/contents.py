"""What runs say: checked when it is written, and against the audience before anybody is called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_api import errors
from trunkline_api.domain.steps import Dialogue, media_of, required_of, texts_of, undeclared_in
from trunkline_api.store import audiences, media
from trunkline_api.store.runs import Run
from trunkline_common.contracts.api import RunContent
from trunkline_common.http import Problem

MOST_SHOWN: Final = 100
MOST_TOLD: Final = 96 * 1024  # bytes of what others are told: one message, with room for the rest


def read(kept: Mapping[str, Any]) -> Dialogue:
    """Content as a row has it; what a later version wrote there besides is not ours to judge."""
    try:
        return Dialogue.model_validate(kept, extra="ignore")
    except ValidationError:  # of before there were rules: it is spoken as it was written
        words, language = kept.get("script"), kept.get("language") or "en-US"
        return Dialogue.model_construct(script=words, text=kept.get("text"), language=language)


def kept_form(content: Dialogue) -> dict[str, Any]:
    """As a row keeps it; a gap without a declared name is a problem."""
    undeclared = undeclared_in(texts_of(content), content.variables)
    if undeclared:
        raise errors.undeclared_variables(undeclared)
    empty = set() if content.variables else {"variables"}
    kept = content.model_dump(mode="json", exclude_none=True, exclude=empty)
    if len(announced(kept).model_dump_json().encode()) > MOST_TOLD:
        raise errors.invalid("#/content", f"texts and defaults have more than {MOST_TOLD} bytes")
    return kept


async def foreign_files(session: AsyncSession, business_id: str, dialogue: Dialogue) -> list[str]:
    """The places where a file is played that the business does not have."""
    played = list(media_of(dialogue))
    if not played:
        return []
    known = await media.known_of(session, business_id, [media_id for _, media_id in played])
    return [place for place, media_id in played if media_id not in known]


async def check_files(session: AsyncSession, business_id: str, kept: Mapping[str, Any]) -> None:
    """Every file that is played is the business's own, or the run is refused."""
    foreign = await foreign_files(session, business_id, read(kept))
    if foreign:
        pointers = [f"#/content/{place}" for place in foreign]
        raise errors.invalid_at(pointers, "there is no such file")


def unsaid(channel: str, content: Dialogue) -> str | None:
    """What a run of this channel lacks if it would say nothing."""
    if channel == "voice":
        return None if content.story else "a voice run needs content.script or content.steps"
    return None if content.text else "a whatsapp run needs content.text"


async def audience_fault(session: AsyncSession, run: Run) -> Problem | None:
    """What speaks against a run if not everybody of its audience has what its texts need.

    A start looks behind its feed, in one transaction: the same people are looked at and fed.
    """
    required = required_of(read(run.content).variables)
    if not required:
        return None
    total, some = await audiences.lacking(
        session, run.business_id, run.id, run.list_id, required=required, limit=MOST_SHOWN
    )
    return errors.missing_variables(total, some) if total else None


def announced(kept: Mapping[str, Any]) -> RunContent:
    """What others are told of it: nothing that only the provider is told."""
    told = RunContent.model_validate(kept)
    return told.model_copy(update={"leaves_voicemail": bool(kept.get("voicemail"))})
