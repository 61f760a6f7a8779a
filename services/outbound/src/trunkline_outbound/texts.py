"""The text of each message of a run: the run's own, with what its contact brings filled in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_common.contracts.api import RunContent
from trunkline_common.placeholders import filled
from trunkline_outbound.store import personal
from trunkline_outbound.store.runs import Run

LONGEST: Final = 4_096  # characters that WhatsApp takes; a value must not fail a message


async def texts_for(session: AsyncSession, run: Run, seqs: Sequence[int]) -> dict[int, str]:
    """The text for each of these jobs."""
    if not run.content.variables:
        return dict.fromkeys(seqs, run.content.text or "")
    known = await personal.values_of(session, run.business_id, run.run_id, seqs)
    return {seq: text_for(run.content, known.get(seq, {})) for seq in seqs}


def text_for(content: RunContent, known: Mapping[str, str]) -> str:
    """One contact's text: their own value, else the default; the start made sure of the rest."""
    values = {
        name: known.get(name) or variable.default or ""
        for name, variable in content.variables.items()
    }
    return filled(content.text or "", values)[:LONGEST]
