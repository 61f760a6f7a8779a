"""Attempts in doubt and calls without news: which of them their provider is asked about next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

# To pick is to move the next look: whoever fails in between is followed by the next look.
_DOUBTS = text(
    """
WITH due AS (
    SELECT attempt_id, run_id FROM attempts
     WHERE state = 'in_doubt' AND (poll_at IS NULL OR poll_at <= clock_timestamp())
     ORDER BY poll_at NULLS FIRST LIMIT :batch FOR NO KEY UPDATE SKIP LOCKED)
UPDATE attempts
   SET polls = polls + 1,
       poll_at = clock_timestamp() + make_interval(secs =>
           (CAST(:delays AS double precision[]))[least(polls + 1, :steps)])
  FROM due WHERE attempts.attempt_id = due.attempt_id AND attempts.run_id = due.run_id
RETURNING attempts.attempt_id, attempts.run_id, business_id, channel_id, account, from_number,
          to_number, intent_at, polls, clock_timestamp() AS now,
          send_deadline < clock_timestamp() - make_interval(secs => :grace) AS is_past_grace
"""
)
_DOUBTFUL = text(
    """
SELECT attempt_id, run_id FROM attempts
 WHERE state = 'in_doubt' AND send_deadline < clock_timestamp() - make_interval(secs => :grace)
 ORDER BY send_deadline LIMIT :batch
"""
)
_BOUND = text(
    """
SELECT provider_id FROM provider_calls
 WHERE business_id = :business_id AND account = :account
   AND provider_id = ANY (CAST(:ids AS text[])) AND attempt_id <> :attempt_id
"""
)
_SILENT = text(
    """
WITH due AS (
    SELECT call_id FROM calls
     WHERE ended_at IS NULL
       AND (poll_at <= clock_timestamp()
            OR (polls = 0 AND dialled_at <= clock_timestamp() - make_interval(secs => :first)))
     ORDER BY poll_at LIMIT :batch FOR NO KEY UPDATE SKIP LOCKED)
UPDATE calls SET polls = calls.polls + 1,
       poll_at = clock_timestamp()
           + make_interval(secs => least(:first * power(2, least(calls.polls, 20)), :longest))
  FROM due, attempts
 WHERE calls.call_id = due.call_id AND attempts.attempt_id = calls.attempt_id
   AND attempts.run_id = calls.run_id
RETURNING calls.attempt_id, calls.business_id, attempts.channel_id, calls.account,
          calls.provider_id
"""
)
_TO_END = text(
    """
WITH due AS (
    SELECT calls.call_id FROM runs JOIN calls USING (run_id)
     WHERE runs.state = 'cancelling' AND runs.hang_up AND calls.ended_at IS NULL
       AND (calls.hang_up_asked_at IS NULL
            OR calls.hang_up_asked_at < clock_timestamp() - make_interval(secs => :again))
     ORDER BY calls.call_id LIMIT :batch FOR NO KEY UPDATE OF calls SKIP LOCKED)
UPDATE calls SET hang_up_asked_at = clock_timestamp()
  FROM due, attempts
 WHERE calls.call_id = due.call_id AND attempts.attempt_id = calls.attempt_id
   AND attempts.run_id = calls.run_id
RETURNING calls.attempt_id, calls.business_id, attempts.channel_id, calls.account,
          calls.provider_id
"""
)


@dataclass(frozen=True, slots=True)
class Doubt:
    """An attempt to ask about; times on the database's clock, `polls` counts this look."""

    attempt_id: str
    run_id: str
    business_id: str
    channel_id: str
    account: str
    from_number: str
    to_number: str
    intent_at: datetime
    polls: int
    now: datetime
    is_past_grace: bool


@dataclass(frozen=True, slots=True)
class LiveCall:
    """A call in the air, as far as we know."""

    attempt_id: str
    business_id: str
    channel_id: str
    account: str
    provider_id: str


async def pick_doubts(
    session: AsyncSession, *, delays: Sequence[float], grace: float, batch: int
) -> list[Doubt]:
    """Attempts in doubt whose time to be asked about has come; seconds."""
    parameters = {"delays": list(delays), "steps": len(delays), "grace": grace, "batch": batch}
    return [Doubt(*row) for row in await session.execute(_DOUBTS, parameters)]


async def bound_to_others(
    session: AsyncSession, doubt: Doubt, provider_ids: Sequence[str]
) -> set[str]:
    """Which of these calls belong to other attempts of the doubt's account."""
    parameters = {
        "business_id": doubt.business_id,
        "account": doubt.account,
        "ids": list(provider_ids),
        "attempt_id": doubt.attempt_id,
    }
    return set((await session.execute(_BOUND, parameters)).scalars())


async def pick_silent_calls(
    session: AsyncSession, *, first: float, longest: float, batch: int
) -> list[LiveCall]:
    """Calls in the air without news for so long that their provider is asked."""
    parameters = {"first": first, "longest": longest, "batch": batch}
    return [LiveCall(*row) for row in await session.execute(_SILENT, parameters)]


async def pick_calls_to_end(session: AsyncSession, *, again: float, batch: int) -> list[LiveCall]:
    """Calls of cancelled runs that were to be hung up and are still in the air."""
    parameters = {"again": again, "batch": batch}
    return [LiveCall(*row) for row in await session.execute(_TO_END, parameters)]


async def doubtful(session: AsyncSession, *, grace: float, batch: int) -> dict[str, str]:
    """Attempts in doubt for longer than `grace` seconds past their send deadline, with runs."""
    rows = await session.execute(_DOUBTFUL, {"grace": grace, "batch": batch})
    return {row.attempt_id: row.run_id for row in rows}
