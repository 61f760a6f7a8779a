"""What is of no month of runs and has an end of its own: calls without a run, and audits."""

from __future__ import annotations

from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

# A call that is not over, and that nobody has given up, stays whatever its age.
_LEGS: Final = text(
    """
WITH old AS (
    SELECT call_id, business_id, account, provider_id FROM legs
     WHERE began_at < clock_timestamp() - make_interval(days => :days)
       AND (ended_at IS NOT NULL OR unknown_at IS NOT NULL)
     ORDER BY began_at LIMIT :batch FOR UPDATE SKIP LOCKED
), said AS (
    DELETE FROM leg_events USING old
     WHERE leg_events.business_id = old.business_id AND leg_events.account = old.account
       AND leg_events.provider_id = old.provider_id)
DELETE FROM legs USING old WHERE legs.call_id = old.call_id
"""
)
_OLD: Final = """
WITH old AS (
    SELECT business_id, account, day FROM call_audits
     WHERE day < CAST(clock_timestamp() AT TIME ZONE 'UTC' AS date) - CAST(:days AS integer)
     ORDER BY day LIMIT 20)
"""
_LINES: Final = [
    text(
        f"""
{_OLD}
DELETE FROM {table} WHERE ctid = ANY (ARRAY(
    SELECT line.ctid FROM old JOIN {table} AS line USING (business_id, account, day)
     LIMIT :batch))
"""  # noqa: S608
    )
    for table in ("audit_listed", "audit_differences")
]
_AUDITS: Final = text(
    f"""
{_OLD}
DELETE FROM call_audits AS audit USING old
 WHERE audit.business_id = old.business_id AND audit.account = old.account
   AND audit.day = old.day
   AND NOT EXISTS (SELECT FROM audit_listed AS line WHERE line.business_id = old.business_id
                      AND line.account = old.account AND line.day = old.day)
   AND NOT EXISTS (SELECT FROM audit_differences AS line
                    WHERE line.business_id = old.business_id AND line.account = old.account
                      AND line.day = old.day)
"""  # noqa: S608
)


async def forget_legs(session: AsyncSession, *, days: int, batch: int = 1_000) -> int:
    """Delete calls without a run that are over and as old, with what was said of them; how many."""
    result = await session.execute(_LEGS, {"days": days, "batch": batch})
    return int(result.rowcount)  # type: ignore[attr-defined]  # present on DML results


async def forget_audits(session: AsyncSession, *, days: int, batch: int = 5_000) -> int:
    """Delete rows of audits of so long ago, an audit itself when it has no more; how many."""
    deleted = 0
    for statement in _LINES:
        result = await session.execute(statement, {"days": days, "batch": batch})
        deleted += int(result.rowcount)  # type: ignore[attr-defined]  # present on DML results
    result = await session.execute(_AUDITS, {"days": days})
    return deleted + int(result.rowcount)  # type: ignore[attr-defined]  # present on DML results
