"""Calls to numbers that nobody here has: kept for the operator, and for no business."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_api.store.rows import every

_KEEP: Final = text(
    """
INSERT INTO quarantined_calls (channel_id, provider_call_id, account, reason, from_number,
                               to_number, body, correlation_id)
VALUES (:channel_id, :provider_call_id, :account, :reason, :from_number, :to_number, :body,
        :correlation_id)
ON CONFLICT DO NOTHING
RETURNING reason
"""
)
_NEWEST: Final = text(
    """
SELECT channel_id, provider_call_id, account, reason, from_number, to_number, received_at
  FROM quarantined_calls ORDER BY received_at DESC LIMIT :limit
"""
)
_PRUNE: Final = text(
    """
DELETE FROM quarantined_calls WHERE (channel_id, provider_call_id) IN (
    SELECT channel_id, provider_call_id FROM quarantined_calls
     WHERE received_at < clock_timestamp() - make_interval(days => :days) LIMIT 1000)
"""
)


@dataclass(frozen=True, slots=True)
class Stray:
    """A call that leads to nobody. `channel_id` is what its address named, and no owner."""

    channel_id: str
    provider_call_id: str
    account: str
    reason: str
    from_number: str | None
    to_number: str | None
    body: str
    correlation_id: str


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A kept one."""

    channel_id: str
    provider_call_id: str
    account: str
    reason: str
    from_number: str | None
    to_number: str | None
    received_at: datetime


async def keep(session: AsyncSession, stray: Stray) -> bool:
    """Keep it; whether it is new."""
    return (await session.execute(_KEEP, asdict(stray))).first() is not None


async def newest(session: AsyncSession, *, limit: int) -> Sequence[Quarantined]:
    """The newest, for an operator."""
    return every(await session.execute(_NEWEST, {"limit": limit}), Quarantined)


async def prune(session: AsyncSession, *, days: int) -> None:
    """Forget what is older than this."""
    await session.execute(_PRUNE, {"days": days})
