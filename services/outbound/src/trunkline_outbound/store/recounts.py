"""Late words on jobs that had ended: whose runs are to be counted again, if they have ended too."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_outbound.domain.states import FINAL_JOB
from trunkline_outbound.store.jobs import LockedJob, MovedJob

# A number, not a mark: a count may have begun before what another transaction is about to commit.
_NOTE = text(
    """
INSERT INTO recounts (run_id)
SELECT run_id FROM unnest(CAST(:run_ids AS text[])) AS run_id ORDER BY run_id
ON CONFLICT (run_id) DO UPDATE SET number = recounts.number + 1
"""
)
_COUNTED = text(
    """
UPDATE recounts SET counted = :number, due_at = clock_timestamp() + make_interval(secs => :wait)
 WHERE run_id = :run_id
"""
)


async def note(
    session: AsyncSession, moved: Iterable[MovedJob], locked: Mapping[tuple[str, int], LockedJob]
) -> None:
    """Some of these jobs had ended already, as they stood locked. Last in the order of locks."""
    late = {job.run_id for job in moved if locked[job.run_id, job.seq].state in FINAL_JOB}
    if late:
        await session.execute(_NOTE, {"run_ids": sorted(late)})


async def counted(session: AsyncSession, run_id: str, number: int, *, wait: float) -> None:
    """So many late words were there when the run was counted; the next count not before `wait`."""
    await session.execute(_COUNTED, {"run_id": run_id, "number": number, "wait": wait})
