"""What counts against a business's contact budget: a row for each attempt that reached out.

Whoever wants to spend of an address's budget holds the address's advisory lock from before it
counts until it commits, so two intents never both take the last unit. The locks are taken in one
order, after the jobs and before the open sends; nobody else takes them. A row is written with its
attempt (`intents.insert_attempts`) and deleted when the attempt is settled as one that never
reached out (`attempts.settle`); whoever counted before the deletion waits longer than it must.

INVARIANT: within a business no address has more touches in a window than its budget said when
each was admitted.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

KEPT_DAYS = 91  # the longest window there is, and a day

_LOCK = text(
    """
SELECT count(pg_advisory_xact_lock(key)) FROM (
    SELECT hashtextextended(:business_id || '/' || address, 17) AS key
      FROM unnest(CAST(:addresses AS text[])) AS address ORDER BY key) AS in_one_order
"""
)
_FIND = text(
    """
SELECT address, array_agg(touched_at) AS touched_at FROM touches
 WHERE business_id = :business_id AND address = ANY (CAST(:addresses AS text[]))
   AND touched_at > clock_timestamp() - CAST(:window AS interval)
 GROUP BY address
"""
)
_GIVE_BACK = text("DELETE FROM touches WHERE attempt_id = ANY (CAST(:attempts AS text[]))")
_RESTORE = text(
    """
INSERT INTO touches (attempt_id, business_id, address, touched_at)
SELECT attempt_id, business_id, to_number, intent_at
  FROM attempts JOIN businesses USING (business_id)
 WHERE attempt_id = ANY (CAST(:attempts AS text[])) AND budget_most IS NOT NULL
ON CONFLICT (attempt_id) DO NOTHING
"""
)
_PRUNE = text(
    """
DELETE FROM touches WHERE attempt_id IN (
    SELECT attempt_id FROM touches
     WHERE touched_at < clock_timestamp() - make_interval(days => :days)
     ORDER BY touched_at LIMIT :batch)
"""
)


async def find(
    session: AsyncSession, business_id: str, addresses: Sequence[str], window: timedelta
) -> dict[str, tuple[datetime, ...]]:
    """The touches of these addresses that count; nobody else spends of them until the commit."""
    parameters = {"business_id": business_id, "addresses": list(addresses)}
    await session.execute(_LOCK, parameters)
    rows = await session.execute(_FIND, parameters | {"window": window})
    return {row.address: tuple(row.touched_at) for row in rows}


async def give_back(session: AsyncSession, attempt_ids: Sequence[str]) -> None:
    """These reached nobody after all."""
    if attempt_ids:
        await session.execute(_GIVE_BACK, {"attempts": list(attempt_ids)})


async def restore(session: AsyncSession, attempt_ids: Sequence[str]) -> None:
    """These had been given back, and did reach somebody; where there is a budget now."""
    if attempt_ids:
        await session.execute(_RESTORE, {"attempts": list(attempt_ids)})


async def prune(session: AsyncSession, *, batch: int = 5_000) -> int:
    """Delete what counts for no budget any more; how many."""
    result = await session.execute(_PRUNE, {"days": KEPT_DAYS, "batch": batch})
    return int(result.rowcount)  # type: ignore[attr-defined]  # present on DML results
