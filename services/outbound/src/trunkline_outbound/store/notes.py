"""What happened inside calls. It moves no job: the end of a call is the provider's word alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

_KEEP: Final = text(
    """
INSERT INTO call_notes (attempt_id, provider_id, kind, place, state, detail, business_id, account,
                        event_id)
VALUES (:attempt_id, :provider_id, :kind, :place, :state, :detail, :business_id, :account,
        :event_id)
ON CONFLICT DO NOTHING
"""
)


@dataclass(frozen=True, slots=True)
class Note:
    """A key that was pressed, or a step of an agent's leg; `place` tells it from others."""

    attempt_id: str
    provider_id: str
    kind: Literal["response", "leg"]
    place: str
    state: str
    detail: str | None


async def keep(
    session: AsyncSession, note: Note, *, business_id: str, account: str, event_id: str
) -> None:
    """Keep a note, whether its attempt is known yet or not; a repetition changes nothing."""
    whose = {"business_id": business_id, "account": account, "event_id": event_id}
    await session.execute(_KEEP, {name: getattr(note, name) for name in Note.__slots__} | whose)
