"""Messages: asked for here, and what messaging said of each, in any order."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_api.domain.states import MESSAGE_RANK, MessageState
from trunkline_api.store.rows import every, first


@dataclass(frozen=True, slots=True)
class Message:
    """One message as far as it is known."""

    id: str
    channel_id: str
    run_id: str | None
    seq: int | None
    contact_id: str | None
    attempt_id: str | None
    to_number: str | None
    body: str | None
    provider_message_id: str | None
    state: str
    code: str | None
    reason: str | None
    accepted_at: datetime | None
    sent_at: datetime | None
    delivered_at: datetime | None
    read_at: datetime | None
    failed_at: datetime | None
    correlation_id: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageFact:
    """What one fact adds to a message."""

    id: str
    business_id: str
    channel_id: str
    correlation_id: str
    state: MessageState
    run_id: str | None = None
    seq: int | None = None
    contact_id: str | None = None
    attempt_id: str | None = None
    to_number: str | None = None
    body: str | None = None
    provider_message_id: str | None = None
    code: str | None = None
    reason: str | None = None
    accepted_at: datetime | None = None
    sent_at: datetime | None = None
    delivered_at: datetime | None = None
    read_at: datetime | None = None
    failed_at: datetime | None = None


_COLUMNS: Final = (
    "id, channel_id, run_id, seq, contact_id, attempt_id, to_number, body, provider_message_id,"
    " state, code, reason, accepted_at, sent_at, delivered_at, read_at, failed_at, correlation_id,"
    " created_at"
)
# INVARIANT: the row is a function of the set of facts, as that of a call is.
_FOLD: Final = text(
    """
INSERT INTO messages AS message (id, business_id, channel_id, run_id, seq, contact_id, attempt_id,
       to_number, body, provider_message_id, state, rank, code, reason, accepted_at, sent_at,
       delivered_at, read_at, failed_at, correlation_id)
VALUES (:id, :business_id, :channel_id, :run_id, :seq, :contact_id, :attempt_id,
       :to_number, :body, :provider_message_id, :state, :rank, :code, :reason, :accepted_at,
       :sent_at, :delivered_at, :read_at, :failed_at, :correlation_id)
ON CONFLICT (id) DO UPDATE
   SET (rank, state, code, reason) = (
           SELECT rank, state, code, reason
             FROM (VALUES (message.rank, message.state, message.code, message.reason),
                          (excluded.rank, excluded.state, excluded.code, excluded.reason))
                  AS said (rank, state, code, reason)
            ORDER BY rank DESC, code DESC NULLS LAST, reason DESC NULLS LAST LIMIT 1),
       run_id = least(message.run_id, excluded.run_id),
       seq = least(message.seq, excluded.seq),
       contact_id = least(message.contact_id, excluded.contact_id),
       attempt_id = least(message.attempt_id, excluded.attempt_id),
       to_number = least(message.to_number, excluded.to_number),
       body = least(message.body, excluded.body),
       provider_message_id = least(message.provider_message_id, excluded.provider_message_id),
       accepted_at = least(message.accepted_at, excluded.accepted_at),
       sent_at = least(message.sent_at, excluded.sent_at),
       delivered_at = least(message.delivered_at, excluded.delivered_at),
       read_at = least(message.read_at, excluded.read_at),
       failed_at = least(message.failed_at, excluded.failed_at)
 WHERE message.business_id = excluded.business_id
RETURNING id
"""
)
_GET: Final = text(
    f"SELECT {_COLUMNS} FROM messages WHERE business_id = :business_id AND id = :message_id"  # noqa: S608
)
_PAGE: Final = text(
    f"""
SELECT {_COLUMNS} FROM messages WHERE business_id = :business_id AND id < :before
 ORDER BY id DESC LIMIT :limit
"""  # noqa: S608
)
_PAGE_OF_RUN: Final = text(
    f"""
SELECT {_COLUMNS} FROM messages
 WHERE business_id = :business_id AND run_id = :run_id AND id < :before
 ORDER BY id DESC LIMIT :limit
"""  # noqa: S608
)


async def fold(session: AsyncSession, fact: MessageFact) -> bool:
    """Add a fact to its message; False where the message belongs to another business."""
    values = {**asdict(fact), "rank": MESSAGE_RANK[fact.state]}
    return (await session.execute(_FOLD, values)).first() is not None


async def get(session: AsyncSession, business_id: str, message_id: str) -> Message | None:
    """One message of a business."""
    values = {"business_id": business_id, "message_id": message_id}
    return first(await session.execute(_GET, values), Message)


async def page(
    session: AsyncSession, business_id: str, *, run_id: str | None, before: str, limit: int
) -> list[Message]:
    """Messages of a business, or of one of its runs, newest first."""
    values = {"business_id": business_id, "before": before, "limit": limit}
    if run_id is None:
        return every(await session.execute(_PAGE, values), Message)
    return every(await session.execute(_PAGE_OF_RUN, {**values, "run_id": run_id}), Message)
