"""Additions of which a piece stays away: they keep their run from completing."""

from __future__ import annotations

from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_outbound.store.additions import Addition

_ALARM: Final = text(
    """
UPDATE additions SET alarmed_at = clock_timestamp() WHERE control_id IN (
    SELECT control_id FROM additions
     WHERE ended_at IS NULL AND alarmed_at IS NULL
       AND moved_at < clock_timestamp() - make_interval(secs => :quiet)
     ORDER BY moved_at LIMIT :batch FOR NO KEY UPDATE SKIP LOCKED)
RETURNING control_id, run_id, business_id, added, rejects, true
"""
)
_OVERDUE: Final = text(
    """
SELECT DISTINCT run_id FROM additions
 WHERE ended_at IS NULL AND moved_at < clock_timestamp() - make_interval(secs => :quiet)
 LIMIT :batch
"""
)
_LET_GO: Final = text(
    """
UPDATE additions SET ended_at = clock_timestamp()
 WHERE run_id = :run_id AND ended_at IS NULL
   AND moved_at <= clock_timestamp() - make_interval(secs => :quiet)
RETURNING control_id, run_id, business_id, added, rejects, false
"""
)


async def alarm(session: AsyncSession, *, quiet: float, batch: int) -> list[Addition]:
    """Open additions without a piece for so many seconds, each once a silence."""
    rows = await session.execute(_ALARM, {"quiet": quiet, "batch": batch})
    return [Addition(*row) for row in rows]


async def overdue(session: AsyncSession, *, quiet: float, batch: int) -> list[str]:
    """Runs with an addition that nothing came of for so many seconds."""
    rows = await session.execute(_OVERDUE, {"quiet": quiet, "batch": batch})
    return list(rows.scalars())


async def let_go(session: AsyncSession, run_id: str, *, quiet: float) -> list[Addition]:
    """End a run's open additions that were quiet for so long; the caller has locked its cursor."""
    rows = await session.execute(_LET_GO, {"run_id": run_id, "quiet": quiet})
    return [Addition(*row) for row in rows]
