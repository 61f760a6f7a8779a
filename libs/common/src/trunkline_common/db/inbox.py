"""What a consumer has already applied: a row in the transaction of the effect."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

KEEP_DAYS = 7  # longer than any replay of a dead letter

TABLE_V1 = """
CREATE TABLE inbox (
    consumer   text NOT NULL,
    event_id   text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (consumer, event_id)
);
CREATE INDEX inbox_applied ON inbox (applied_at);
"""

_ENTER = text(
    """
INSERT INTO inbox (consumer, event_id)
SELECT :consumer, event_id FROM unnest(CAST(:event_ids AS text[])) AS event_id
ORDER BY event_id
ON CONFLICT DO NOTHING
RETURNING event_id
"""
)
_LEAVE = text(
    "DELETE FROM inbox WHERE consumer = :consumer AND event_id = ANY(CAST(:event_ids AS text[]))"
)
_PRUNE = text(
    """
DELETE FROM inbox WHERE (consumer, event_id) IN (
    SELECT consumer, event_id FROM inbox
     WHERE applied_at < clock_timestamp() - make_interval(days => :days)
     LIMIT :batch)
"""
)


async def enter(session: AsyncSession, consumer: str, event_ids: Sequence[str]) -> set[str]:
    """Note these events as applied; the ids that are new, in one statement for a whole batch."""
    rows = await session.execute(_ENTER, {"consumer": consumer, "event_ids": list(event_ids)})
    return set(rows.scalars())


async def leave(session: AsyncSession, consumer: str, event_ids: Sequence[str]) -> None:
    """Forget events whose handler failed in this transaction.

    INVARIANT: the row of a failed handler is deleted before the commit, or its retry is dropped.
    """
    if event_ids:
        await session.execute(_LEAVE, {"consumer": consumer, "event_ids": list(event_ids)})


async def prune(session: AsyncSession, *, batch: int = 5_000) -> int:
    """Delete rows older than the horizon, at most a batch; how many went."""
    result = await session.execute(_PRUNE, {"days": KEEP_DAYS, "batch": batch})
    return int(result.rowcount)  # type: ignore[attr-defined]  # rowcount exists on DML results
