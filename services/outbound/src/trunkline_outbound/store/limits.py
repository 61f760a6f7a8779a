"""Room in the air: a slot is a row owned by its attempt, and counters move only with such rows."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_outbound.store import channels
from trunkline_outbound.store.channels import Channel
from trunkline_outbound.store.runs import UNLIMITED

_CAP = text(
    """
INSERT INTO limits (kind, id, cap) VALUES (:kind, :id, :cap)
ON CONFLICT (kind, id) DO UPDATE SET cap = excluded.cap WHERE limits.cap <> excluded.cap
"""
)
_ROOM = text(
    """
SELECT min(cap - in_use) FROM limits
 WHERE (kind = 'account' AND id = :scope) OR (kind = 'run' AND id = :run_id)
"""
)
_LOCK = text(
    """
SELECT cap - in_use FROM limits
 WHERE (kind = 'account' AND id = :scope) OR (kind = 'run' AND id = :run_id)
 ORDER BY kind, id FOR NO KEY UPDATE
"""
)
# The column `account` holds the scope; it has its name from the first version.
_TAKE = text(
    """
WITH taken AS (
    INSERT INTO slots (attempt_id, run_id, account)
    SELECT attempt_id, :run_id, :scope
      FROM unnest(CAST(:attempts AS text[])) AS attempt_id
    RETURNING 1
)
UPDATE limits SET in_use = in_use + (SELECT count(*) FROM taken)
 WHERE (kind = 'account' AND id = :scope) OR (kind = 'run' AND id = :run_id)
"""
)
_FREE = text(
    """
DELETE FROM slots WHERE attempt_id = ANY (CAST(:attempts AS text[]))
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
UPDATE limits SET in_use = in_use - freed.n
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


async def room(session: AsyncSession, *, channel: Channel, run_id: str) -> int | None:
    """How many more may go, read without a lock; None without any limit."""
    if channel.is_held:
        return 0
    value: int | None = (
        await session.execute(_ROOM, {"scope": channel.scope, "run_id": run_id})
    ).scalar()
    return value


async def lock_room(session: AsyncSession, *, channel: Channel, run_id: str) -> int | None:
    """How many more may go, until the transaction ends; None without any limit.

    Of a channel that was refused one at a time may, and only once a hold.
    """
    if channel.is_doubted and not await channels.take_trial(session, channel.channel_id):
        return 0
    rows = await session.execute(_LOCK, {"scope": channel.scope, "run_id": run_id})
    trial = [1] if channel.is_doubted else []
    return min([*rows.scalars(), *trial], default=None)


async def take(
    session: AsyncSession, attempt_ids: Sequence[str], *, scope: str, run_id: str
) -> None:
    """Take a slot for each attempt; the limits are locked and have the room."""
    if attempt_ids:
        parameters = {"attempts": list(attempt_ids), "scope": scope, "run_id": run_id}
        await session.execute(_TAKE, parameters)


async def free(session: AsyncSession, attempt_ids: Sequence[str]) -> int:
    """Free the slots of these attempts; how many there were. A second release changes nothing."""
    if not attempt_ids:
        return 0
    counts: dict[tuple[str, str], int] = {}
    freed = 0
    for row in await session.execute(_FREE, {"attempts": list(attempt_ids)}):
        freed += 1
        for key in (("account", row.account), ("run", row.run_id)):
            counts[key] = counts.get(key, 0) + 1
    if counts:
        kinds = [kind for kind, _ in counts]
        parameters = {"kinds": kinds, "ids": [limit_id for _, limit_id in counts]}
        await session.execute(_LOCK_FREED, parameters)
        await session.execute(_RETURN, parameters | {"counts": list(counts.values())})
    return freed
