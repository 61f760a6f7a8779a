"""Room in the air: a slot is a row owned by its attempt, and counters move only with such rows."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_common.db.driver import fetch
from trunkline_common.ids import business_of
from trunkline_outbound.store import channels
from trunkline_outbound.store.channels import Channel
from trunkline_outbound.store.runs import UNLIMITED

_CAP = text(
    """
INSERT INTO limits (kind, id, cap) VALUES (:kind, :id, :cap)
ON CONFLICT (kind, id) DO UPDATE SET cap = excluded.cap WHERE limits.cap <> excluded.cap
"""
)
_OPEN = text(
    """
INSERT INTO limits (kind, id, cap) VALUES ('business', :id, :cap)
ON CONFLICT (kind, id) DO NOTHING
"""
)
# Everybody who takes or frees holds the row, so a count under its lock is the truth.
_RECOUNT = text(
    """
UPDATE limits SET in_use = (SELECT count(*) FROM slots WHERE split_part(account, '/', 1) = :id)
 WHERE kind = 'business' AND id = :id
"""
)
_ROOM = text(
    """
SELECT min(cap - in_use) FROM limits
 WHERE (kind = 'account' AND id = :scope) OR (kind = 'business' AND id = :business_id)
    OR (kind = 'run' AND id = :run_id)
"""
)
_LOCK = text(
    """
SELECT cap - in_use FROM limits
 WHERE (kind = 'account' AND id = :scope) OR (kind = 'business' AND id = :business_id)
    OR (kind = 'run' AND id = :run_id)
 ORDER BY kind, id FOR NO KEY UPDATE
"""
)
_FREE = text(
    """
DELETE FROM slots WHERE attempt_id = ANY (CAST(:attempts AS text[]))
RETURNING run_id, account
"""
)
_RETAKE = text(
    """
INSERT INTO slots (attempt_id, run_id, account)
SELECT * FROM unnest(CAST(:attempts AS text[]), CAST(:runs AS text[]), CAST(:scopes AS text[]))
ON CONFLICT (attempt_id) DO NOTHING
RETURNING run_id, account
"""
)
_LOCK_FREED = text(
    """
SELECT kind, id FROM limits
  JOIN unnest(CAST(:kinds AS text[]), CAST(:ids AS text[])) AS freed (k, i)
    ON kind = freed.k AND id = freed.i
 ORDER BY kind, id FOR NO KEY UPDATE OF limits
"""
)
_RETURN = text(
    """
UPDATE limits SET in_use = greatest(in_use - freed.n, CASE WHEN kind = 'business' THEN 0
                                                       ELSE in_use - freed.n END)
  FROM unnest(CAST(:kinds AS text[]), CAST(:ids AS text[]), CAST(:counts AS integer[]))
       AS freed (k, i, n)
 WHERE kind = freed.k AND id = freed.i
"""
)


async def set_cap(session: AsyncSession, kind: str, limit_id: str, cap: int | None) -> None:
    """State how many may be in the air for an account or a run; None takes the limit away.

    The row stays, for it counts what is in the air.
    """
    bound = UNLIMITED if cap is None else cap
    await session.execute(_CAP, {"kind": kind, "id": limit_id, "cap": bound})


async def open_business(session: AsyncSession, business_id: str) -> None:
    """Have a row that counts what a business has in the air, before it has anything there."""
    await session.execute(_OPEN, {"id": business_id, "cap": UNLIMITED})


async def set_business_cap(session: AsyncSession, business_id: str, cap: int | None) -> None:
    """State how many a business may have in the air, all accounts together; None: no limit.

    The count begins anew: a version from before there were such limits moved none.
    """
    await open_business(session, business_id)
    await set_cap(session, "business", business_id, cap)
    if cap is not None:
        await session.execute(_RECOUNT, {"id": business_id})


async def room(session: AsyncSession, *, channel: Channel, run_id: str) -> int | None:
    """How many more may go, read without a lock; None without any limit."""
    if channel.is_held:
        return 0
    ((value,),) = await fetch(session, _ROOM, _keys(channel.scope, run_id))
    return None if value is None else int(value)


async def lock_room(session: AsyncSession, *, channel: Channel, run_id: str) -> int | None:
    """How many more may go, until the transaction ends; None without any limit.

    Of a channel that was refused one at a time may, and only once a hold: whoever takes it.
    """
    if channel.is_doubted and not await channels.lock_trial(session, channel.channel_id):
        return 0
    rows = await fetch(session, _LOCK, _keys(channel.scope, run_id))
    trial = [1] if channel.is_doubted else []
    return min([*(int(row[0]) for row in rows), *trial], default=None)


def _keys(scope: str, run_id: str) -> dict[str, object]:
    return {"scope": scope, "business_id": business_of(scope), "run_id": run_id}


async def free(session: AsyncSession, attempt_ids: Sequence[str]) -> int:
    """Free the slots of these attempts; how many there were. A second release changes nothing."""
    if not attempt_ids:
        return 0
    freed = list(await session.execute(_FREE, {"attempts": list(attempt_ids)}))
    await _count(session, [(row.run_id, row.account) for row in freed], by=1)
    return len(freed)


async def retake(session: AsyncSession, held: Sequence[tuple[str, str, str]]) -> None:
    """Take the slots (attempt, run, scope) of calls that are in the air after all, room or none.

    INVARIANT I8: what is in the air is counted. Over its cap a limit has less than no room, so
    nothing more goes until calls have ended.
    """
    if held:
        attempts, runs, scopes = (list(column) for column in zip(*held, strict=True))
        parameters = {"attempts": attempts, "runs": runs, "scopes": scopes}
        taken = list(await session.execute(_RETAKE, parameters))
        await _count(session, [(row.run_id, row.account) for row in taken], by=-1)


async def _count(session: AsyncSession, slots: Sequence[tuple[str, str]], *, by: int) -> None:
    """Lower what is in use by the slots (run, scope) that were deleted; by -1 for new ones."""
    counts: dict[tuple[str, str], int] = {}
    for run_id, scope in slots:
        for key in (("account", scope), ("business", business_of(scope)), ("run", run_id)):
            counts[key] = counts.get(key, 0) + by
    if counts:
        kinds = [kind for kind, _ in counts]
        parameters = {"kinds": kinds, "ids": [limit_id for _, limit_id in counts]}
        await session.execute(_LOCK_FREED, parameters)
        await session.execute(_RETURN, parameters | {"counts": list(counts.values())})
