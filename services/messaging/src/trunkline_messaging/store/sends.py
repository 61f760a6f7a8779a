"""The right to send: due messages picked, requests written down, open sends kept apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_messaging.store.channels import Channel
from trunkline_messaging.store.messages import Message

# Replies first, then what was tried before, then first passes: three ranges of two indexes, each
# read as far as is wanted. The gate of the business's suppressions comes before all of them (see
# `store.suppressions`): whatever the intent reads after this statement it reads behind the gate.
_TURN = """
    SELECT message_id, attempt_id, business_id, channel_id, run_id, seq, contact_id, address, body,
           state, delivery, number, provider_message_id, correlation_id, causation_id, traceparent
      FROM messages
     WHERE channel_id = :channel_id AND state IN ('queued', 'waiting')
       AND due_at <= clock_timestamp() AND (SELECT is_held FROM gate)
       AND {whose}
     ORDER BY due_at LIMIT :wanted - {taken}
       FOR NO KEY UPDATE SKIP LOCKED
"""
_REPLIES = _TURN.format(whose="lane = 0", taken="0")
_AGAIN = _TURN.format(whose="lane = 1 AND number > 0", taken="(SELECT count(*) FROM replies)")
_FIRST = _TURN.format(
    whose="lane = 1 AND number = 0",
    taken="(SELECT count(*) FROM replies) - (SELECT count(*) FROM again)",
)
_PICK = text(
    f"""
WITH gate AS MATERIALIZED (
    SELECT count(pg_advisory_xact_lock_shared(hashtextextended(:business_id, 19))) = 1 AS is_held
), replies AS MATERIALIZED ({_REPLIES}), again AS MATERIALIZED ({_AGAIN}),
first AS MATERIALIZED ({_FIRST})
SELECT * FROM replies UNION ALL SELECT * FROM again UNION ALL SELECT * FROM first
"""  # noqa: S608 - of our own pieces
)
_OPEN = text(
    """
INSERT INTO open_sends (business_id, account, address, attempt_id)
SELECT :business_id, :account, address, attempt_id
  FROM unnest(CAST(:addresses AS text[]), CAST(:attempts AS text[]))
       WITH ORDINALITY AS new (address, attempt_id, turn)
 ORDER BY address, turn
ON CONFLICT DO NOTHING
RETURNING attempt_id
"""
)
_CLOSE = text("DELETE FROM open_sends WHERE attempt_id = ANY (CAST(:attempts AS text[]))")
_GRANT = text(
    """
WITH granted AS (
    UPDATE messages SET state = 'sending', number = number + 1, owner = :owner,
           lease_until = clock_timestamp() + make_interval(secs => :lease),
           changed_at = clock_timestamp()
     WHERE message_id = ANY (CAST(:ids AS text[]))
    RETURNING message_id, attempt_id, number, business_id
)
INSERT INTO attempts (attempt_id, number, message_id, business_id, account, owner, send_deadline)
SELECT attempt_id, number, message_id, business_id, :account, :owner,
       clock_timestamp() + make_interval(secs => :deadline)
  FROM granted
"""
)
_SETTLE = text(
    """
UPDATE attempts SET state = result.state, code = result.code, reason = result.reason,
       resolved_by = CASE WHEN result.state <> 'in_doubt' THEN :said_by END,
       resolved_at = CASE WHEN result.state <> 'in_doubt' THEN clock_timestamp() END
  FROM unnest(CAST(:attempts AS text[]), CAST(:numbers AS integer[]), CAST(:states AS text[]),
              CAST(:codes AS text[]), CAST(:reasons AS text[]))
       AS result (attempt_id, number, state, code, reason)
 WHERE attempts.attempt_id = result.attempt_id AND attempts.number = result.number
   AND (attempts.state IN ('intent', 'in_doubt')
        OR (result.state = 'accepted' AND attempts.state <> 'accepted'))
"""
)
_EXPIRED = text(
    """
SELECT attempt_id FROM messages WHERE state = 'sending' AND lease_until <= clock_timestamp()
 ORDER BY message_id LIMIT :batch
   FOR NO KEY UPDATE SKIP LOCKED
"""
)


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of one request."""

    attempt_id: str
    number: int
    state: str
    code: str | None = None
    reason: str | None = None


async def pick(session: AsyncSession, channel: Channel, wanted: int) -> list[Message]:
    """Lock due messages that nobody else is looking at: replies first, then retries."""
    parameters = {
        "channel_id": channel.channel_id,
        "business_id": channel.business_id,
        "wanted": wanted,
    }
    rows = await session.execute(_PICK, parameters)
    return [Message(*row) for row in rows]


async def open_sends(
    session: AsyncSession, channel: Channel, messages: Sequence[Message]
) -> set[str]:
    """Take the right to write to each address; the attempts that have it."""
    parameters = {
        "business_id": channel.business_id,
        "account": channel.account,
        "addresses": [message.address for message in messages],
        "attempts": [message.attempt_id for message in messages],
    }
    return set((await session.execute(_OPEN, parameters)).scalars())


async def close_sends(session: AsyncSession, attempt_ids: Sequence[str]) -> None:
    """Let others write to these addresses."""
    if attempt_ids:
        await session.execute(_CLOSE, {"attempts": list(attempt_ids)})


async def grant(
    session: AsyncSession,
    channel: Channel,
    messages: Sequence[Message],
    *,
    owner: str,
    lease: float,
    deadline: float,
) -> None:
    """Write down that these are being sent, and by when their last bytes must have left."""
    await session.execute(
        _GRANT,
        {
            "ids": [message.message_id for message in messages],
            "account": channel.account,
            "owner": owner,
            "lease": lease,
            "deadline": deadline,
        },
    )


async def settle(session: AsyncSession, settled: Sequence[Settled], *, said_by: str) -> None:
    """Write down what became of requests that were open, or turned out to be accepted."""
    if settled:
        await session.execute(
            _SETTLE,
            {
                "attempts": [request.attempt_id for request in settled],
                "numbers": [request.number for request in settled],
                "states": [request.state for request in settled],
                "codes": [request.code for request in settled],
                "reasons": [request.reason for request in settled],
                "said_by": said_by,
            },
        )


async def lock_expired(session: AsyncSession, batch: int) -> list[str]:
    """Attempts whose sender has not been heard of within its lease."""
    return list((await session.execute(_EXPIRED, {"batch": batch})).scalars())
