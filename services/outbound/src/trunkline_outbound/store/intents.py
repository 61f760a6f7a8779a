"""Intents as rows: an attempt each, with its slot, and what it spends of its contact's budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_common.db.driver import fetch
from trunkline_common.ids import account_scope
from trunkline_outbound.store.attempts import NewAttempt

# An attempt has a slot, whose limits are locked and have the room, and spends of its contact's
# budget, where the business has set one.
_INSERT = text(
    """
WITH counted AS (
UPDATE limits SET in_use = in_use + cardinality(CAST(:attempts AS text[]))
 WHERE (kind = 'account' AND id = :scope) OR (kind = 'business' AND id = :business_id)
    OR (kind = 'run' AND id = :run_id)
), taken AS (
INSERT INTO slots (attempt_id, run_id, account)
SELECT attempt_id, :run_id, :scope FROM unnest(CAST(:attempts AS text[])) AS attempt_id
), new AS (
INSERT INTO attempts (attempt_id, call_id, business_id, run_id, seq, contact_id, claim_id,
       channel_id, account, from_number, to_number, state, send_deadline, correlation_id,
       traceparent, lasts)
SELECT attempt_id, call_id, :business_id, :run_id, seq, contact_id, :claim_id, :channel_id,
       :account, from_number, to_number, :state,
       clock_timestamp() + make_interval(secs => :deadline), :correlation_id, traceparent,
       CAST(:lasts AS integer)
  FROM unnest(CAST(:attempts AS text[]), CAST(:calls AS text[]), CAST(:seqs AS bigint[]),
              CAST(:contacts AS text[]), CAST(:senders AS text[]), CAST(:addresses AS text[]),
              CAST(:traceparents AS text[]))
       AS new (attempt_id, call_id, seq, contact_id, from_number, to_number, traceparent)
RETURNING attempt_id, to_number)
INSERT INTO touches (attempt_id, business_id, address)
SELECT attempt_id, :business_id, to_number FROM new
 WHERE EXISTS (SELECT FROM businesses
                WHERE businesses.business_id = :business_id AND budget_most IS NOT NULL)
"""
)


@dataclass(frozen=True, slots=True)
class IntentFrame:
    """What all attempts of one micro-batch share. Seconds: `deadline` from the intent."""

    business_id: str
    run_id: str
    claim_id: int
    channel_id: str
    account: str
    correlation_id: str
    state: str
    deadline: float
    lasts: int


async def insert_attempts(
    session: AsyncSession, frame: IntentFrame, new: Sequence[NewAttempt]
) -> None:
    """Write the intents, each with its slot. Durable before the first byte leaves, since the
    caller commits first.
    """
    parameters = {
        "scope": account_scope(frame.business_id, frame.account),
        "business_id": frame.business_id,
        "run_id": frame.run_id,
        "claim_id": frame.claim_id,
        "channel_id": frame.channel_id,
        "account": frame.account,
        "correlation_id": frame.correlation_id,
        "state": frame.state,
        "deadline": frame.deadline,
        "lasts": frame.lasts,
        "attempts": [a.attempt_id for a in new],
        "calls": [a.call_id for a in new],
        "seqs": [a.seq for a in new],
        "contacts": [a.contact_id for a in new],
        "senders": [a.from_number for a in new],
        "addresses": [a.to_number for a in new],
        "traceparents": [a.traceparent for a in new],
    }
    await fetch(session, _INSERT, parameters)
