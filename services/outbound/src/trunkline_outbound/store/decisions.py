"""The decision log: why a job was deferred, skipped or ended, with the rule and the time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_outbound.store.jobs import Move

_ADD = text(
    """
INSERT INTO decisions (business_id, run_id, seq, decision, rule, detail, not_before)
SELECT * FROM unnest(CAST(:businesses AS text[]), CAST(:runs AS text[]), CAST(:seqs AS bigint[]),
                     CAST(:decisions AS text[]), CAST(:rules AS text[]),
                     CAST(:details AS text[]), CAST(:not_befores AS timestamptz[]))
"""
)


@dataclass(frozen=True, slots=True)
class Decision:
    """One line of the log."""

    business_id: str
    run_id: str
    seq: int
    decision: str
    rule: str
    detail: str | None = None
    not_before: datetime | None = None


def decision_of(move: Move) -> str:
    """What the log calls a move: whoever waits was deferred."""
    return "deferred" if move.state == "waiting" else move.state


async def add(session: AsyncSession, decisions: Sequence[Decision]) -> None:
    """Write lines in the transaction of what they explain."""
    if not decisions:
        return
    parameters = {
        "businesses": [d.business_id for d in decisions],
        "runs": [d.run_id for d in decisions],
        "seqs": [d.seq for d in decisions],
        "decisions": [d.decision for d in decisions],
        "rules": [d.rule for d in decisions],
        "details": [d.detail for d in decisions],
        "not_befores": [d.not_before for d in decisions],
    }
    await session.execute(_ADD, parameters)
