"""What the provider said of messages, kept as a set under natural keys until it is folded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_common.contracts.api import MessageStatusReported
from trunkline_common.contracts.envelope import Envelope
from trunkline_common.db.transaction import wake_after_commit

FOLD = "messaging.fold"  # rung after every commit that kept a status

_KEEP = text(
    """
INSERT INTO message_statuses (channel_id, provider_message_id, status, business_id, attempt_id,
                              code, title, reported_at, event_id, correlation_id)
VALUES (:channel_id, :provider_message_id, :status, :business_id, :attempt_id, :code, :title,
        :reported_at, :event_id, :correlation_id)
ON CONFLICT DO NOTHING
"""
)
_UNFOLDED = text(
    """
SELECT channel_id, provider_message_id, status, business_id, attempt_id, code, title, reported_at,
       event_id, arrived_at < clock_timestamp() - make_interval(secs => :keep) AS stale
  FROM message_statuses
 WHERE folded_at IS NULL AND look_at <= clock_timestamp()
 ORDER BY look_at LIMIT :batch
   FOR NO KEY UPDATE SKIP LOCKED
"""
)
_FOLDED = text(
    """
UPDATE message_statuses SET folded_at = clock_timestamp(), problem = done.problem
  FROM unnest(CAST(:channels AS text[]), CAST(:provider_ids AS text[]),
              CAST(:statuses AS text[]), CAST(:problems AS text[]))
       AS done (channel_id, provider_message_id, status, problem)
 WHERE message_statuses.channel_id = done.channel_id
   AND message_statuses.provider_message_id = done.provider_message_id
   AND message_statuses.status = done.status
"""
)
# Its message may be about to be recorded, or belong to another program on the same number.
_LATER = text(
    """
UPDATE message_statuses
   SET looks = looks + 1,
       look_at = clock_timestamp() + make_interval(secs => least(0.25 * 2.0 ^ looks, 300))
  FROM unnest(CAST(:channels AS text[]), CAST(:provider_ids AS text[]),
              CAST(:statuses AS text[])) AS unbound (channel_id, provider_message_id, status)
 WHERE message_statuses.channel_id = unbound.channel_id
   AND message_statuses.provider_message_id = unbound.provider_message_id
   AND message_statuses.status = unbound.status
"""
)


@dataclass(frozen=True, slots=True)
class Status:
    """One status that has not been folded yet. `stale`: it has been looked at for long enough."""

    channel_id: str
    provider_message_id: str
    status: str
    business_id: str
    attempt_id: str | None
    code: str | None
    title: str | None
    reported_at: datetime | None
    event_id: str
    stale: bool

    @property
    def key(self) -> tuple[str, str]:
        return (self.channel_id, self.provider_message_id)


async def keep(session: AsyncSession, envelope: Envelope[MessageStatusReported]) -> None:
    """Keep what the provider said; a repetition changes nothing."""
    event = envelope.event
    parameters = {
        "channel_id": event.channel_id,
        "provider_message_id": event.provider_message_id,
        "status": event.status,
        "business_id": envelope.business_id,
        "attempt_id": event.attempt_id,
        "code": None if event.error_code is None else str(event.error_code),
        "title": event.error_title,
        "reported_at": event.reported_at,
        "event_id": envelope.id,
        "correlation_id": envelope.correlation_id,
    }
    await session.execute(_KEEP, parameters)
    wake_after_commit(session, FOLD)


async def lock_unfolded(session: AsyncSession, batch: int, *, keep: float) -> list[Status]:
    """Take statuses that nobody has folded yet; those older than `keep` seconds are stale."""
    rows = await session.execute(_UNFOLDED, {"batch": batch, "keep": keep})
    return [Status(*row) for row in rows]


async def mark_folded(session: AsyncSession, done: Sequence[tuple[Status, str | None]]) -> None:
    """Note statuses as folded, or as unusable with the problem."""
    if done:
        parameters = _keys([status for status, _ in done])
        await session.execute(_FOLDED, parameters | {"problems": [p for _, p in done]})


async def look_later(session: AsyncSession, unbound: Sequence[Status]) -> None:
    """Look again at statuses whose message is not known, less often each time."""
    if unbound:
        await session.execute(_LATER, _keys(unbound))


def _keys(statuses: Sequence[Status]) -> dict[str, list[str] | list[str | None]]:
    return {
        "channels": [status.channel_id for status in statuses],
        "provider_ids": [status.provider_message_id for status in statuses],
        "statuses": [status.status for status in statuses],
    }
