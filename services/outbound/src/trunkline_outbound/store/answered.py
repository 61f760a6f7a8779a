"""Attempts with an answer and their jobs: locked in one statement, accepted in one more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_common.db.driver import fetch
from trunkline_outbound.domain.states import ATTEMPT_NEXT, JOB_NEXT, before
from trunkline_outbound.store.attempts import Attempt
from trunkline_outbound.store.jobs import LockedJob

# Each row is looked up by its key in a lateral query, so no plan, whenever it was made, reads more
# of a run than what was asked for. The jobs are locked before the first attempt is looked for: a
# one-time condition is asked first, and to count the jobs takes all of them. What is read of
# either is as of its lock.
_LOCK = text(
    """
WITH asked AS MATERIALIZED (
    SELECT known.* FROM unnest(CAST(:runs AS text[]), CAST(:attempts AS text[]))
                        AS given (run_id, attempt_id)
     CROSS JOIN LATERAL (
           SELECT run_id, seq, attempt_id FROM attempts
            WHERE attempts.run_id = given.run_id AND attempts.attempt_id = given.attempt_id
           OFFSET 0) AS known
), job AS MATERIALIZED (
    SELECT job.* FROM (SELECT DISTINCT run_id, seq FROM asked ORDER BY run_id, seq) AS of_asked
     CROSS JOIN LATERAL (
           SELECT run_id, seq, state, open_attempt, attempts, misses, outcome FROM jobs
            WHERE jobs.run_id = of_asked.run_id AND jobs.seq = of_asked.seq
              FOR NO KEY UPDATE) AS job
)
SELECT one.*, job.state, job.open_attempt, job.attempts, job.misses, job.outcome,
       EXISTS (SELECT FROM attempts AS other
                WHERE other.run_id = one.run_id AND other.seq = one.seq
                  AND other.attempt_id <> one.attempt_id)
  FROM (SELECT run_id, attempt_id FROM asked WHERE (SELECT count(*) FROM job) > 0
         ORDER BY attempt_id) AS in_order
 CROSS JOIN LATERAL (
       SELECT attempt_id, call_id, business_id, run_id, seq, contact_id, channel_id, account,
              from_number, to_number, state, correlation_id, traceparent, lasts
         FROM attempts
        WHERE attempts.run_id = in_order.run_id AND attempts.attempt_id = in_order.attempt_id
          FOR NO KEY UPDATE) AS one
  JOIN job ON job.run_id = one.run_id AND job.seq = one.seq
"""
)
# All of it is locked by now but the numbers in `open_sends`, the calls in `provider_calls`, and
# the channels, which come in the order of the protocol. INVARIANT I6: only who gets the provider's
# id is accepted, has its call opened and its job moved.
_ACCEPT = text(
    """
WITH news AS MATERIALIZED (
    SELECT * FROM unnest(
        CAST(:attempts AS text[]), CAST(:calls AS text[]), CAST(:businesses AS text[]),
        CAST(:runs AS text[]), CAST(:seqs AS bigint[]), CAST(:accounts AS text[]),
        CAST(:provider_ids AS text[]), CAST(:lasts AS integer[]))
        AS news (attempt_id, call_id, business_id, run_id, seq, account, provider_id, lasts)
), bound AS (
    INSERT INTO provider_calls (account, provider_id, attempt_id, business_id)
    SELECT account, provider_id, attempt_id, business_id FROM news
     ORDER BY account, provider_id, business_id
    ON CONFLICT DO NOTHING
    RETURNING attempt_id
), accepted AS (
    UPDATE attempts SET state = 'accepted', provider_id = news.provider_id,
           resolved_by = :said_by, resolved_at = clock_timestamp()
      FROM news JOIN bound USING (attempt_id)
     WHERE attempts.run_id = ANY (CAST(:distinct_runs AS text[]))
       AND attempts.attempt_id = ANY (CAST(:attempts AS text[]))
       AND attempts.seq = ANY (CAST(:seqs AS bigint[]))
       AND attempts.run_id = news.run_id AND attempts.attempt_id = news.attempt_id
       AND attempts.state = ANY (CAST(:attempt_befores AS text[]))
), closed AS (
    DELETE FROM open_sends WHERE attempt_id = ANY (CAST(:attempts AS text[]))
       AND attempt_id IN (SELECT attempt_id FROM bound)
), opened AS (
    INSERT INTO calls (call_id, attempt_id, business_id, run_id, seq, account, provider_id, status,
                       rank, lasts)
    SELECT call_id, attempt_id, business_id, run_id, seq, account, provider_id, 'queued', 10, lasts
      FROM news JOIN bound USING (attempt_id)
     ORDER BY call_id
    ON CONFLICT (call_id) DO NOTHING
    RETURNING attempt_id
), moved AS (
    UPDATE jobs SET state = 'accepted', claim_id = NULL, due_at = NULL, outcome = NULL,
           reason = 'accepted', changed_at = clock_timestamp(), misses = 0
      FROM news JOIN bound USING (attempt_id)
     WHERE jobs.run_id = ANY (CAST(:distinct_runs AS text[]))
       AND jobs.seq = ANY (CAST(:seqs AS bigint[]))
       AND jobs.run_id = news.run_id AND jobs.seq = news.seq
       AND jobs.open_attempt = news.attempt_id
       AND jobs.state = ANY (CAST(:job_befores AS text[]))
), trusted AS (
    UPDATE channels SET held_until = '-infinity' WHERE channel_id IN (
           SELECT channel_id FROM channels
            WHERE channel_id = ANY (CAST(:channels AS text[])) AND held_until <> '-infinity'
            ORDER BY channel_id FOR NO KEY UPDATE)
)
SELECT attempt_id, attempt_id IN (SELECT attempt_id FROM opened) FROM bound
"""
)
_OPEN_JOB = frozenset({"sending", "in_doubt"})
_OPEN_ATTEMPT = frozenset({"intent", "in_doubt"})


@dataclass(frozen=True, slots=True)
class Answered:
    """An attempt and its job, both locked. `is_only`: the job never had another attempt."""

    attempt: Attempt
    job: LockedJob
    is_only: bool

    @property
    def is_open(self) -> bool:
        """Whether the attempt is its job's open one: what protocol 5.5 compares."""
        return (
            self.attempt.state in _OPEN_ATTEMPT
            and self.job.state in _OPEN_JOB
            and self.job.open_attempt == self.attempt.attempt_id
        )


async def lock(session: AsyncSession, asked: Sequence[tuple[str, str]]) -> dict[str, Answered]:
    """Lock the jobs of these attempts (run, attempt) and then the attempts, each in order.

    An attempt that is asked for twice is found once.
    """
    asked = sorted(set(asked))
    parameters = {
        "runs": [run_id for run_id, _ in asked],
        "attempts": [attempt_id for _, attempt_id in asked],
    }
    found = {}
    for row in await fetch(session, _LOCK, parameters):
        attempt = Attempt(*row[:14])
        job = LockedJob(attempt.run_id, attempt.seq, *row[14:19])
        found[attempt.attempt_id] = Answered(attempt, job, not row[19])
    return found


async def accept_open(
    session: AsyncSession, news: Sequence[tuple[Attempt, str]], *, said_by: str
) -> dict[str, bool]:
    """Accept attempts (with provider ids) that are their jobs' open ones, as they stand locked.

    Those that got the provider's id for their own, and whether their call is new.
    """
    attempts = [attempt for attempt, _ in news]
    parameters = {
        "attempts": [a.attempt_id for a in attempts],
        "calls": [a.call_id for a in attempts],
        "businesses": [a.business_id for a in attempts],
        "runs": [a.run_id for a in attempts],
        "distinct_runs": sorted({a.run_id for a in attempts}),
        "seqs": [a.seq for a in attempts],
        "accounts": [a.account for a in attempts],
        "provider_ids": [provider_id for _, provider_id in news],
        "lasts": [a.lasts for a in attempts],
        "channels": sorted({a.channel_id for a in attempts}),
        "said_by": said_by,
        "attempt_befores": [s for s in before(ATTEMPT_NEXT, "accepted") if s in _OPEN_ATTEMPT],
        "job_befores": [s for s in before(JOB_NEXT, "accepted") if s in _OPEN_JOB],
    }
    return {row[0]: row[1] for row in await fetch(session, _ACCEPT, parameters)}
