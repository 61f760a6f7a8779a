"""Cancelled runs: what of them is here is stopped, and what is still on its way is not taken in."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_messaging.store.messages import Message

# A hand-over and the cancel of its run must see each other, whichever commits first.
_SHARED = text("SELECT pg_advisory_xact_lock_shared(hashtextextended(:run_id, 11))")
_ALONE = text("SELECT pg_advisory_xact_lock(hashtextextended(:run_id, 11))")
_SHUT = text(
    """
INSERT INTO run_gates (run_id, business_id) VALUES (:run_id, :business_id)
ON CONFLICT DO NOTHING
"""
)
_IS_SHUT = text(
    """
SELECT EXISTS (SELECT FROM run_gates WHERE run_id = :run_id AND business_id = :business_id)
"""
)
# INVARIANT: an intent holds the message's row until it commits, so this waits for it and then sees
# `sending`; what this stopped, no intent can pick.
_STOP = text(
    """
WITH stopped AS (
    SELECT message_id FROM messages
     WHERE run_id = :run_id AND business_id = :business_id AND state IN ('queued', 'waiting')
     ORDER BY message_id FOR NO KEY UPDATE)
UPDATE messages SET state = 'cancelled', reason = 'run_cancelled', changed_at = clock_timestamp()
  FROM stopped WHERE messages.message_id = stopped.message_id
RETURNING messages.message_id, attempt_id, business_id, channel_id, run_id, seq, contact_id,
          address, body, state, delivery, number, provider_message_id, correlation_id,
          causation_id, traceparent
"""
)


async def is_shut(session: AsyncSession, run_id: str, business_id: str) -> bool:
    """Whether a run was cancelled; until the transaction ends nobody can cancel it unseen."""
    await session.execute(_SHARED, {"run_id": run_id})
    parameters = {"run_id": run_id, "business_id": business_id}
    return bool((await session.execute(_IS_SHUT, parameters)).scalar())


async def shut(session: AsyncSession, run_id: str, business_id: str) -> list[Message]:
    """Take in nothing more of a run, and stop what has not been admitted; those that were."""
    await session.execute(_ALONE, {"run_id": run_id})
    parameters = {"run_id": run_id, "business_id": business_id}
    await session.execute(_SHUT, parameters)
    return await stop(session, run_id, business_id)


async def stop(session: AsyncSession, run_id: str, business_id: str) -> list[Message]:
    """Stop what of a run has not been admitted; those that were stopped."""
    parameters = {"run_id": run_id, "business_id": business_id}
    return [Message(*row) for row in await session.execute(_STOP, parameters)]
