"""Attempts: one request to a provider each, written before the request; and what it opened."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_common.db.driver import fetch
from trunkline_common.ids import account_scope
from trunkline_outbound.domain.states import ATTEMPT_NEXT, before, steps
from trunkline_outbound.store.channels import Channel

# That a provider took it is a fact, not a decision, and has its own way: `accept`.
_DECISIONS = [step for step in steps(ATTEMPT_NEXT) if step[1] != "accepted"]

_OPEN_SENDS = text(
    """
INSERT INTO open_sends (business_id, account, from_number, to_number, attempt_id)
SELECT :business_id, :account, from_number, to_number, attempt_id
  FROM unnest(CAST(:senders AS text[]), CAST(:addresses AS text[]), CAST(:attempts AS text[]))
       AS new (from_number, to_number, attempt_id)
 ORDER BY from_number, to_number
ON CONFLICT DO NOTHING
RETURNING attempt_id
"""
)
_CLOSE_SENDS = text("DELETE FROM open_sends WHERE attempt_id = ANY (CAST(:attempts AS text[]))")
# INVARIANT: every statement names the runs as well, so that it looks into their months only.
_GET = text(
    """
SELECT attempt_id, call_id, business_id, run_id, seq, contact_id, channel_id, account,
       from_number, to_number, state, correlation_id, traceparent, lasts
  FROM attempts WHERE attempt_id = ANY (CAST(:attempts AS text[]))
   AND run_id = ANY (CAST(:runs AS text[]))
"""
)
_LOCK = text(
    """
SELECT attempt_id, state FROM attempts WHERE attempt_id = ANY (CAST(:attempts AS text[]))
   AND run_id = ANY (CAST(:runs AS text[]))
 ORDER BY attempt_id FOR NO KEY UPDATE
"""
)
_ACCEPT = text(
    """
UPDATE attempts SET state = 'accepted', provider_id = fact.provider_id,
       resolved_by = fact.said_by, resolved_at = clock_timestamp()
  FROM unnest(CAST(:attempts AS text[]), CAST(:provider_ids AS text[]),
              CAST(:said_by AS text[])) AS fact (attempt_id, provider_id, said_by)
 WHERE attempts.attempt_id = fact.attempt_id AND attempts.run_id = ANY (CAST(:runs AS text[]))
   AND attempts.attempt_id = ANY (CAST(:attempts AS text[]))
   AND attempts.state = ANY (CAST(:befores AS text[]))
"""
)
# INVARIANT (protocol 5.6): what never reached out is given back to the contact's budget when the
# attempt is settled as such, whoever settles it.
_SETTLE = text(
    """
WITH settled AS (
UPDATE attempts SET state = result.state, code = result.code, reason = result.reason,
       resolved_by = CASE WHEN result.state <> 'in_doubt' THEN :said_by END,
       resolved_at = CASE WHEN result.state <> 'in_doubt' THEN clock_timestamp() END
  FROM unnest(CAST(:attempts AS text[]), CAST(:states AS text[]), CAST(:codes AS text[]),
              CAST(:reasons AS text[])) AS result (attempt_id, state, code, reason)
 WHERE attempts.attempt_id = result.attempt_id
   AND attempts.attempt_id = ANY (CAST(:attempts AS text[]))
   AND attempts.run_id = ANY (CAST(:runs AS text[]))
   AND (attempts.state, result.state) IN (
       SELECT * FROM unnest(CAST(:befores AS text[]), CAST(:afters AS text[])))
RETURNING attempts.attempt_id, attempts.state
), given_back AS (
    DELETE FROM touches USING settled
     WHERE touches.attempt_id = settled.attempt_id
       AND settled.state IN ('not_sent', 'rejected', 'absent'))
SELECT attempt_id FROM settled
"""
)
_BIND = text(
    """
INSERT INTO provider_calls (account, provider_id, attempt_id, business_id)
SELECT account, provider_id, attempt_id, business_id
  FROM unnest(CAST(:accounts AS text[]), CAST(:provider_ids AS text[]),
              CAST(:attempts AS text[]), CAST(:businesses AS text[]))
       AS new (account, provider_id, attempt_id, business_id)
 ORDER BY account, provider_id, business_id
ON CONFLICT DO NOTHING
"""
)
_BOUND = text(
    """
SELECT known.business_id, known.account, known.provider_id, known.attempt_id
  FROM provider_calls AS known
  JOIN unnest(CAST(:accounts AS text[]), CAST(:provider_ids AS text[]),
              CAST(:businesses AS text[])) AS wanted (account, provider_id, business_id)
    ON known.account = wanted.account AND known.provider_id = wanted.provider_id
   AND known.business_id = wanted.business_id
"""
)


@dataclass(frozen=True, slots=True)
class NewAttempt:
    """A request that may leave once its intent has committed."""

    attempt_id: str
    call_id: str
    seq: int
    contact_id: str
    from_number: str
    to_number: str
    traceparent: str | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt as it was written, with its state when it was read; its call `lasts` seconds."""

    attempt_id: str
    call_id: str
    business_id: str
    run_id: str
    seq: int
    contact_id: str
    channel_id: str
    account: str
    from_number: str
    to_number: str
    state: str
    correlation_id: str
    traceparent: str | None
    lasts: int | None

    @property
    def scope(self) -> str:
        """The key of what its account is limited by."""
        return account_scope(self.business_id, self.account)


async def open_sends(
    session: AsyncSession, channel: Channel, new: Sequence[NewAttempt]
) -> set[str]:
    """Reserve each (business, account, from, to); the attempts that got theirs."""
    parameters = {
        "business_id": channel.business_id,
        "account": channel.account,
        "senders": [a.from_number for a in new],
        "addresses": [a.to_number for a in new],
        "attempts": [a.attempt_id for a in new],
    }
    return {row[0] for row in await fetch(session, _OPEN_SENDS, parameters)}


async def close_sends(session: AsyncSession, attempt_ids: Sequence[str]) -> None:
    """Let others send between these numbers again."""
    if attempt_ids:
        await fetch(session, _CLOSE_SENDS, {"attempts": list(attempt_ids)})


async def get_attempts(
    session: AsyncSession, attempt_ids: Sequence[str], *, run_ids: Collection[str]
) -> dict[str, Attempt]:
    """Attempts of these runs by id, read without a lock."""
    parameters = {"attempts": list(attempt_ids), "runs": list(run_ids)}
    return {row.attempt_id: Attempt(*row) for row in await session.execute(_GET, parameters)}


async def lock_attempts(session: AsyncSession, known: Collection[Attempt]) -> dict[str, str]:
    """Lock attempts in order, after their jobs; their states by id."""
    rows = await session.execute(_LOCK, _of(known))
    return {row.attempt_id: row.state for row in rows}


def _of(known: Collection[Attempt]) -> dict[str, list[str]]:
    return {
        "attempts": [attempt.attempt_id for attempt in known],
        "runs": sorted({attempt.run_id for attempt in known}),
    }


async def accept(session: AsyncSession, facts: Sequence[tuple[Attempt, str, str]]) -> None:
    """Note acceptances (attempt, provider id, who says so). A fact, true whoever says it."""
    if facts:
        attempts, provider_ids, said_by = (list(column) for column in zip(*facts, strict=True))
        parameters = _of(attempts) | {
            "provider_ids": provider_ids,
            "said_by": said_by,
            "befores": before(ATTEMPT_NEXT, "accepted"),
        }
        await session.execute(_ACCEPT, parameters)


async def settle(
    session: AsyncSession,
    results: Sequence[tuple[str, str, str | None, str]],
    *,
    run_ids: Collection[str],
    said_by: str,
) -> set[str]:
    """Move open attempts (attempt, state, code, reason); those that might still go there."""
    if not results:
        return set()
    attempts, states, codes, reasons = (list(column) for column in zip(*results, strict=True))
    parameters = {
        "attempts": attempts,
        "states": states,
        "codes": codes,
        "reasons": reasons,
        "runs": list(run_ids),
        "said_by": said_by,
        "befores": [earlier for earlier, _ in _DECISIONS],
        "afters": [later for _, later in _DECISIONS],
    }
    return set((await session.execute(_SETTLE, parameters)).scalars())


async def bind(
    session: AsyncSession, bindings: Sequence[tuple[Attempt, str]]
) -> dict[tuple[str, str], str]:
    """Bind provider calls (attempt, provider id); who owns each (scope, provider id) by now.

    INVARIANT I6: within its business and account, a provider id is one attempt's.
    """
    parameters = {
        "accounts": [attempt.account for attempt, _ in bindings],
        "provider_ids": [provider_id for _, provider_id in bindings],
        "businesses": [attempt.business_id for attempt, _ in bindings],
    }
    new = parameters | {"attempts": [attempt.attempt_id for attempt, _ in bindings]}
    await session.execute(_BIND, new)
    rows = await session.execute(_BOUND, parameters)
    return {
        (account_scope(row.business_id, row.account), row.provider_id): row.attempt_id
        for row in rows
    }
