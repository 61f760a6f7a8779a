"""Messages: taken in, locked, moved; each row says where one message stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_common.db.transaction import wake_after_commit
from trunkline_messaging.domain.progress import Standing, Step

DUE = "messaging.due"  # rung when a message may be sent
HIGH, BROADCASTS = 0, 1

_COLUMNS = """message_id, attempt_id, business_id, channel_id, run_id, seq, contact_id, address,
       body, state, delivery, number, provider_message_id, correlation_id, causation_id,
       traceparent"""

_INSERT = text(
    """
INSERT INTO messages (message_id, attempt_id, business_id, channel_id, lane, run_id, seq,
                      contact_id, address, body, correlation_id, causation_id, traceparent)
VALUES (:message_id, :attempt_id, :business_id, :channel_id, :lane, :run_id, :seq, :contact_id,
        :address, :body, :correlation_id, :causation_id, :traceparent)
ON CONFLICT DO NOTHING
"""
)
_LOCK = text(
    f"""
SELECT {_COLUMNS} FROM messages WHERE attempt_id = ANY (CAST(:attempts AS text[]))
 ORDER BY message_id FOR NO KEY UPDATE
"""  # noqa: S608 - the columns are written above
)
_MOVE = text(
    """
UPDATE messages
   SET state = step.state,
       delivery = coalesce(step.delivery, messages.delivery),
       due_at = clock_timestamp() + make_interval(secs => coalesce(step.due_in, 0)),
       provider_message_id = coalesce(messages.provider_message_id, step.provider_message_id),
       accepted_at = CASE WHEN step.state = 'accepted'
                          THEN coalesce(messages.accepted_at, clock_timestamp()) END,
       code = step.code, reason = step.reason, owner = NULL, lease_until = NULL,
       changed_at = clock_timestamp()
  FROM unnest(CAST(:ids AS text[]), CAST(:states AS text[]), CAST(:deliveries AS text[]),
              CAST(:due_in AS double precision[]), CAST(:provider_ids AS text[]),
              CAST(:codes AS text[]), CAST(:reasons AS text[]))
       AS step (message_id, state, delivery, due_in, provider_message_id, code, reason)
 WHERE messages.message_id = step.message_id
RETURNING messages.message_id, messages.accepted_at
"""
)
_BIND = text(
    """
INSERT INTO provider_messages (channel_id, provider_message_id, attempt_id)
SELECT channel_id, provider_message_id, attempt_id
  FROM unnest(CAST(:channels AS text[]), CAST(:provider_ids AS text[]),
              CAST(:attempts AS text[])) AS new (channel_id, provider_message_id, attempt_id)
 ORDER BY channel_id, provider_message_id
ON CONFLICT DO NOTHING
"""
)
_BOUND = text(
    """
SELECT known.channel_id, known.provider_message_id, known.attempt_id
  FROM provider_messages AS known
  JOIN unnest(CAST(:channels AS text[]), CAST(:provider_ids AS text[]))
       AS wanted (channel_id, provider_message_id)
    ON known.channel_id = wanted.channel_id
   AND known.provider_message_id = wanted.provider_message_id
"""
)


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message as it was asked for. `run_id` and `seq` only if it came from a run."""

    message_id: str
    attempt_id: str
    business_id: str
    channel_id: str
    lane: int
    address: str = field(repr=False)
    body: str = field(repr=False)
    correlation_id: str
    causation_id: str
    traceparent: str | None
    run_id: str | None = None
    seq: int | None = None
    contact_id: str | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """A message as it was when its row was locked or granted."""

    message_id: str
    attempt_id: str
    business_id: str
    channel_id: str
    run_id: str | None
    seq: int | None
    contact_id: str | None
    address: str = field(repr=False)
    body: str = field(repr=False)
    state: str
    delivery: str | None
    number: int
    provider_message_id: str | None
    correlation_id: str
    causation_id: str | None
    traceparent: str | None

    @property
    def standing(self) -> Standing:
        return Standing(self.state, self.number, self.delivery, self.provider_message_id)


async def insert(session: AsyncSession, new: NewMessage) -> None:
    """Take a message in; one that is here already stays as it is."""
    parameters = {name: getattr(new, name) for name in NewMessage.__dataclass_fields__}
    await session.execute(_INSERT, parameters)
    wake_after_commit(session, DUE)


async def lock(session: AsyncSession, attempt_ids: Sequence[str]) -> dict[str, Message]:
    """Lock messages in the order of their ids; by attempt."""
    rows = await session.execute(_LOCK, {"attempts": list(attempt_ids)})
    return {row.attempt_id: Message(*row) for row in rows}


async def move(session: AsyncSession, steps: Mapping[str, Step]) -> dict[str, datetime | None]:
    """Move locked messages, by message id; when each was accepted, if it was."""
    if not steps:
        return {}
    ordered = sorted(steps.items())
    moved = await session.execute(
        _MOVE,
        {
            "ids": [message_id for message_id, _ in ordered],
            "states": [step.state for _, step in ordered],
            "deliveries": [step.delivery for _, step in ordered],
            "due_in": [step.due_in for _, step in ordered],
            "provider_ids": [step.provider_message_id for _, step in ordered],
            "codes": [step.code for _, step in ordered],
            "reasons": [step.reason for _, step in ordered],
        },
    )
    return {row.message_id: row.accepted_at for row in moved}


async def bind(session: AsyncSession, taken: Sequence[tuple[str, str, str]]) -> None:
    """Note which attempt the provider's ids belong to: (channel, provider's id, attempt)."""
    if taken:
        await session.execute(
            _BIND,
            {
                "channels": [channel_id for channel_id, _, _ in taken],
                "provider_ids": [provider_id for _, provider_id, _ in taken],
                "attempts": [attempt_id for _, _, attempt_id in taken],
            },
        )


async def bound(
    session: AsyncSession, wanted: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], str]:
    """The attempts of (channel, provider's id), as far as they are known."""
    parameters = {"channels": [c for c, _ in wanted], "provider_ids": [p for _, p in wanted]}
    rows = await session.execute(_BOUND, parameters)
    return {(row.channel_id, row.provider_message_id): row.attempt_id for row in rows}
