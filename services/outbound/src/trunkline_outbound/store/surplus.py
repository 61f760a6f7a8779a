"""Calls that a provider made twice for one job, until they are stopped or were too fast."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_outbound.store.attempts import Attempt
from trunkline_outbound.store.doubts import LiveCall

_ADD = text(
    """
INSERT INTO surplus_calls (account, provider_id, attempt_id, business_id, channel_id)
SELECT * FROM unnest(CAST(:accounts AS text[]), CAST(:provider_ids AS text[]),
                     CAST(:attempts AS text[]), CAST(:businesses AS text[]),
                     CAST(:channels AS text[]))
ON CONFLICT DO NOTHING
"""
)
_LATE = text(
    """
SELECT attempt_id FROM attempts
 WHERE attempt_id = ANY (CAST(:attempts AS text[])) AND run_id = ANY (CAST(:runs AS text[]))
   AND state IN ('absent', 'unknown')
"""
)
# A job whose attempt was taken for absent goes back to it, if no other attempt is open by now. It
# was given back as none, and is one after all.
_TAKE_BACK = text(
    """
UPDATE jobs SET state = 'accepted', claim_id = NULL, due_at = NULL, reason = 'accepted_late',
       open_attempt = late.attempt_id, attempts = jobs.attempts + 1,
       changed_at = clock_timestamp()
  FROM unnest(CAST(:attempts AS text[]), CAST(:runs AS text[]), CAST(:seqs AS bigint[]))
       AS late (attempt_id, run_id, seq)
 WHERE jobs.run_id = late.run_id AND jobs.seq = late.seq AND jobs.state IN ('waiting', 'queued')
   AND jobs.run_id = ANY (CAST(:runs AS text[]))
"""
)
# Another call of the job that is in the air, else one of an earlier attempt that was heard of only
# after the intent of the one that came to nothing.
_BACK_TO = text(
    """
WITH other AS (
    SELECT DISTINCT ON (gone.run_id, gone.seq) gone.run_id, gone.seq, calls.attempt_id
      FROM attempts AS gone
      JOIN attempts AS made ON made.run_id = gone.run_id AND made.seq = gone.seq
                           AND made.attempt_id <> gone.attempt_id AND made.state = 'accepted'
      JOIN calls ON calls.attempt_id = made.attempt_id
     WHERE gone.attempt_id = ANY (CAST(:attempts AS text[]))
       AND gone.run_id = ANY (CAST(:runs AS text[])) AND made.run_id = ANY (CAST(:runs AS text[]))
       AND gone.seq = ANY (CAST(:seqs AS bigint[])) AND made.seq = ANY (CAST(:seqs AS bigint[]))
       AND (calls.ended_at IS NULL
            OR made.intent_at < gone.intent_at AND calls.dialled_at > gone.intent_at)
     ORDER BY gone.run_id, gone.seq, calls.ended_at IS NULL DESC, made.intent_at)
UPDATE jobs SET state = 'accepted', claim_id = NULL, due_at = NULL, reason = 'accepted_late',
       open_attempt = other.attempt_id, attempts = jobs.attempts + 1,
       changed_at = clock_timestamp()
  FROM other
 WHERE jobs.run_id = other.run_id AND jobs.seq = other.seq AND jobs.state = 'waiting'
   AND jobs.run_id = ANY (CAST(:runs AS text[])) AND jobs.seq = ANY (CAST(:seqs AS bigint[]))
RETURNING jobs.open_attempt
"""
)
# Two ids for one attempt: the one that is heard of later. Two calls for one job: the later one, if
# the first was heard of only after the later one's intent. Whichever of the two facts comes last
# finds the other; a try after a busy call is none, since that call was known before.
_DETECT = text(
    """
WITH fact AS (
    SELECT * FROM unnest(CAST(:attempts AS text[]), CAST(:runs AS text[]),
                         CAST(:provider_ids AS text[])) AS fact (attempt_id, run_id, provider_id))
INSERT INTO surplus_calls (account, provider_id, attempt_id, business_id, channel_id)
SELECT account, fact.provider_id, attempt_id, business_id, channel_id
  FROM fact JOIN attempts USING (attempt_id, run_id)
 WHERE attempts.provider_id <> fact.provider_id
   AND attempts.run_id = ANY (CAST(:runs AS text[]))
UNION
SELECT later.account, later.provider_id, later.attempt_id, later.business_id, later.channel_id
  FROM fact JOIN attempts AS told USING (attempt_id, run_id)
  JOIN jobs ON jobs.run_id = told.run_id AND jobs.seq = told.seq
  JOIN attempts AS first ON first.run_id = jobs.run_id AND first.seq = jobs.seq
  JOIN attempts AS later ON later.run_id = jobs.run_id AND later.seq = jobs.seq
  JOIN calls ON calls.attempt_id = first.attempt_id
 WHERE told.attempt_id IN (first.attempt_id, later.attempt_id)
   AND later.state = 'accepted' AND later.provider_id IS NOT NULL
   AND later.intent_at > first.intent_at AND calls.dialled_at > later.intent_at
   AND told.run_id = ANY (CAST(:runs AS text[])) AND jobs.run_id = ANY (CAST(:runs AS text[]))
   AND first.run_id = ANY (CAST(:runs AS text[])) AND later.run_id = ANY (CAST(:runs AS text[]))
ON CONFLICT DO NOTHING
RETURNING attempt_id
"""
)
_PICK = text(
    """
WITH due AS (
    SELECT business_id, account, provider_id FROM surplus_calls
     WHERE result IS NULL AND tries < :most AND try_at <= clock_timestamp()
     ORDER BY try_at LIMIT :batch FOR NO KEY UPDATE SKIP LOCKED)
UPDATE surplus_calls SET tries = tries + 1,
       try_at = clock_timestamp() + make_interval(secs => least(power(2, tries), 60))
  FROM due WHERE surplus_calls.business_id = due.business_id
             AND surplus_calls.account = due.account
             AND surplus_calls.provider_id = due.provider_id
RETURNING attempt_id, surplus_calls.business_id, channel_id, surplus_calls.account,
          surplus_calls.provider_id
"""
)
# The last try has its time as well before it counts as one that came to nothing.
_GIVE_UP = text(
    """
WITH due AS (
    SELECT business_id, account, provider_id FROM surplus_calls
     WHERE result IS NULL AND tries >= :most AND try_at <= clock_timestamp()
     ORDER BY try_at LIMIT :batch FOR NO KEY UPDATE SKIP LOCKED)
UPDATE surplus_calls SET result = 'given_up'
  FROM due WHERE surplus_calls.business_id = due.business_id
             AND surplus_calls.account = due.account
             AND surplus_calls.provider_id = due.provider_id
RETURNING attempt_id, surplus_calls.business_id, channel_id, surplus_calls.account,
          surplus_calls.provider_id
"""
)
_SETTLE = text(
    """
UPDATE surplus_calls SET result = :result
 WHERE business_id = :business_id AND account = :account AND provider_id = :provider_id
"""
)


async def add(session: AsyncSession, calls: Sequence[tuple[Attempt, str]]) -> None:
    """Remember calls (attempt, provider id) that should not be."""
    if calls:
        parameters = {
            "accounts": [attempt.account for attempt, _ in calls],
            "provider_ids": [provider_id for _, provider_id in calls],
            "attempts": [attempt.attempt_id for attempt, _ in calls],
            "businesses": [attempt.business_id for attempt, _ in calls],
            "channels": [attempt.channel_id for attempt, _ in calls],
        }
        await session.execute(_ADD, parameters)


async def late_of(session: AsyncSession, known: Sequence[Attempt]) -> set[str]:
    """Which of these attempts had been given up; they are locked by the caller."""
    return set((await session.execute(_LATE, _keys(known))).scalars())


def _keys(known: Sequence[Attempt]) -> dict[str, list[str]]:
    return {
        "attempts": [attempt.attempt_id for attempt in known],
        "runs": [attempt.run_id for attempt in known],
    }


async def take_back(session: AsyncSession, late: Sequence[Attempt]) -> None:
    """Give jobs that wait for another try back to the attempt that was accepted after all."""
    if late:
        parameters = _keys(late) | {"seqs": [attempt.seq for attempt in late]}
        await session.execute(_TAKE_BACK, parameters)


async def back_to(session: AsyncSession, gone: Sequence[Attempt]) -> list[str]:
    """Give waiting jobs of these attempts to the job's other call, if there is one; whose it is.

    That one had been given back as none, and is one after all.
    """
    parameters = _keys(gone) | {"seqs": [attempt.seq for attempt in gone]}
    return list((await session.execute(_BACK_TO, parameters)).scalars())


async def detect(session: AsyncSession, facts: Sequence[tuple[Attempt, str]]) -> list[str]:
    """Remember second calls that these facts (attempt, provider id) reveal; whose they are."""
    provider_ids = [provider_id for _, provider_id in facts]
    parameters = _keys([attempt for attempt, _ in facts]) | {"provider_ids": provider_ids}
    return list((await session.execute(_DETECT, parameters)).scalars())


async def pick(session: AsyncSession, *, most: int, batch: int) -> list[LiveCall]:
    """Those to be stopped now, each tried `most` times."""
    return [LiveCall(*row) for row in await session.execute(_PICK, {"most": most, "batch": batch})]


async def give_up(session: AsyncSession, *, most: int, batch: int) -> list[LiveCall]:
    """Those that nothing stopped, after `most` tries without an answer."""
    rows = await session.execute(_GIVE_UP, {"most": most, "batch": batch})
    return [LiveCall(*row) for row in rows]


async def settle(session: AsyncSession, call: LiveCall, result: str) -> None:
    """Note what came of it."""
    parameters = {
        "business_id": call.business_id,
        "account": call.account,
        "provider_id": call.provider_id,
        "result": result,
    }
    await session.execute(_SETTLE, parameters)
