"""Jobs: one contact in one run. Every statement names the states it moves from."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_common.db.driver import fetch
from trunkline_outbound.domain.states import JOB_NEXT, RESTATED_JOB, steps
from trunkline_outbound.store.claims import Claim

_STEPS = [*steps(JOB_NEXT), *((state, state) for state in sorted(RESTATED_JOB))]

_PICK_RANGE = text(
    """
SELECT seq, contact_id, address, attempts, clock_timestamp() AS now, zone FROM jobs
 WHERE run_id = :run_id AND seq BETWEEN :first_seq AND :last_seq AND state = 'queued'
   AND (claim_id IS NULL OR claim_id = :claim_id)
 ORDER BY seq LIMIT :wanted FOR NO KEY UPDATE
"""
)
_PICK_DUE = text(
    """
SELECT seq, contact_id, address, attempts, clock_timestamp() AS now, zone FROM jobs
 WHERE run_id = :run_id AND claim_id = :claim_id AND state = 'queued'
 ORDER BY seq LIMIT :wanted FOR NO KEY UPDATE
"""
)
# Every statement over many jobs names their numbers in its condition, beside any join: then no
# plan, not even one that was made when the table was empty, reads more of a run than these.
_SENDING = text(
    """
UPDATE jobs SET state = :state, claim_id = CAST(:claim_id AS bigint),
       open_attempt = sent.attempt_id, attempts = jobs.attempts + 1, changed_at = clock_timestamp()
  FROM unnest(CAST(:seqs AS bigint[]), CAST(:attempts AS text[])) AS sent (seq, attempt_id)
 WHERE jobs.run_id = :run_id AND jobs.seq = sent.seq AND jobs.state = 'queued'
   AND jobs.seq = ANY (CAST(:seqs AS bigint[]))
"""
)
_DEFER = text(
    """
UPDATE jobs SET state = 'waiting', claim_id = NULL, open_attempt = NULL, due_at = later.due_at,
       reason = later.reason, changed_at = clock_timestamp()
  FROM unnest(CAST(:seqs AS bigint[]), CAST(:due_ats AS timestamptz[]),
              CAST(:reasons AS text[])) AS later (seq, due_at, reason)
 WHERE jobs.run_id = :run_id AND jobs.seq = later.seq AND jobs.state = 'queued'
   AND jobs.seq = ANY (CAST(:seqs AS bigint[]))
"""
)
_DEFER_BY = text(
    """
UPDATE jobs SET state = 'waiting', claim_id = NULL, open_attempt = NULL, reason = :reason,
       due_at = clock_timestamp() + make_interval(secs => :seconds),
       changed_at = clock_timestamp()
 WHERE run_id = :run_id AND seq = ANY (CAST(:seqs AS bigint[])) AND state = 'queued'
RETURNING seq, due_at
"""
)
_SKIP = text(
    """
UPDATE jobs SET state = 'skipped', claim_id = NULL, reason = skipped.reason,
       changed_at = clock_timestamp()
  FROM unnest(CAST(:seqs AS bigint[]), CAST(:reasons AS text[])) AS skipped (seq, reason)
 WHERE jobs.run_id = :run_id AND jobs.seq = skipped.seq AND jobs.state = 'queued'
   AND jobs.seq = ANY (CAST(:seqs AS bigint[]))
"""
)
_LOCK = text(
    """
SELECT job.* FROM (
       SELECT DISTINCT run_id COLLATE "C" AS run_id, seq
         FROM unnest(CAST(:run_ids AS text[]), CAST(:seqs AS bigint[])) AS wanted (run_id, seq)
        ORDER BY 1, 2) AS in_order
 CROSS JOIN LATERAL (
       SELECT run_id, seq, state, open_attempt, attempts, misses, outcome FROM jobs
        WHERE jobs.run_id = in_order.run_id AND jobs.seq = in_order.seq
          FOR NO KEY UPDATE) AS job
"""
)
# INVARIANT: a decision of an attempt moves the job only while that attempt is the job's open one,
# and only along the protocol's table. An attempt that never became a call is given back.
_MOVE = text(
    """
UPDATE jobs SET state = move.state, claim_id = NULL, due_at = move.due_at,
       open_attempt = CASE WHEN move.state = 'waiting' THEN NULL ELSE jobs.open_attempt END,
       outcome = move.outcome, reason = move.reason, changed_at = clock_timestamp(),
       attempts = jobs.attempts - CASE WHEN move.gives_back THEN 1 ELSE 0 END,
       misses = CASE WHEN move.gives_back THEN jobs.misses + 1
                     WHEN move.state = 'accepted' THEN 0 ELSE jobs.misses END
  FROM unnest(CAST(:run_ids AS text[]), CAST(:seqs AS bigint[]), CAST(:attempts AS text[]),
              CAST(:states AS text[]), CAST(:due_ats AS timestamptz[]),
              CAST(:outcomes AS text[]), CAST(:reasons AS text[]), CAST(:give_backs AS boolean[]))
       AS move (run_id, seq, attempt_id, state, due_at, outcome, reason, gives_back)
 WHERE jobs.run_id = move.run_id AND jobs.seq = move.seq
   AND jobs.run_id = ANY (CAST(:run_ids AS text[])) AND jobs.seq = ANY (CAST(:seqs AS bigint[]))
   AND jobs.open_attempt = move.attempt_id
   AND (jobs.state, move.state) IN (
       SELECT * FROM unnest(CAST(:befores AS text[]), CAST(:afters AS text[])))
RETURNING jobs.run_id, jobs.seq, jobs.contact_id, jobs.business_id, jobs.state, jobs.outcome,
          jobs.reason
"""
)
# By their claim alone: with their state as well, all that the run is sending might be read.
_DOUBT_CLAIM = text(
    """
WITH held AS (
    SELECT seq, state FROM jobs WHERE run_id = :run_id AND claim_id = :claim_id
     ORDER BY seq FOR NO KEY UPDATE
)
UPDATE jobs SET state = 'in_doubt', claim_id = NULL, reason = 'worker_lost',
       changed_at = clock_timestamp()
 WHERE run_id = :run_id AND seq = ANY (ARRAY(SELECT seq FROM held WHERE state = 'sending'))
RETURNING jobs.seq, jobs.open_attempt
"""
)
_CANCEL_RANGE = text(
    """
UPDATE jobs SET state = 'cancelled', claim_id = NULL, reason = :reason,
       changed_at = clock_timestamp()
 WHERE run_id = :run_id AND seq BETWEEN :first AND :last AND state = 'queued'
"""
)
_COUNT = text(
    "SELECT state, outcome, count(*) AS jobs FROM jobs WHERE run_id = :run_id GROUP BY 1, 2"
)


@dataclass(frozen=True, slots=True)
class QueuedJob:
    """A job that its claim may still send, locked; `now` is the database's clock."""

    seq: int
    contact_id: str
    address: str
    attempts: int
    now: datetime
    zone: str | None = None


@dataclass(frozen=True, slots=True)
class LockedJob:
    """A job on which facts or decisions are about to be applied."""

    run_id: str
    seq: int
    state: str
    open_attempt: str | None
    attempts: int
    misses: int
    outcome: str | None


@dataclass(frozen=True, slots=True)
class Move:
    """What an attempt decides about its job. `gives_back`: it does not count as an attempt."""

    run_id: str
    seq: int
    attempt_id: str
    state: str
    reason: str
    outcome: str | None = None
    due_at: datetime | None = None
    gives_back: bool = False


@dataclass(frozen=True, slots=True)
class MovedJob:
    """A job after a move that applied."""

    run_id: str
    seq: int
    contact_id: str
    business_id: str
    state: str
    outcome: str | None
    reason: str


async def pick_queued(session: AsyncSession, claim: Claim, wanted: int) -> Sequence[QueuedJob]:
    """Lock up to `wanted` jobs of a claim that are still to be sent."""
    parameters = {"run_id": claim.run_id, "claim_id": claim.claim_id, "wanted": wanted}
    if claim.kind == "due":
        rows = await fetch(session, _PICK_DUE, parameters)
    else:
        span = {"first_seq": claim.first_seq, "last_seq": claim.last_seq}
        rows = await fetch(session, _PICK_RANGE, parameters | span)
    return [QueuedJob(*row) for row in rows]


async def mark_sending(
    session: AsyncSession, claim: Claim, attempts: dict[int, str], *, state: str = "sending"
) -> None:
    """Move queued jobs (seq → attempt id) to `sending`, or `accepted` for a hand-over."""
    parameters = {
        "run_id": claim.run_id,
        "claim_id": claim.claim_id if state == "sending" else None,
        "seqs": list(attempts),
        "attempts": list(attempts.values()),
        "state": state,
    }
    await fetch(session, _SENDING, parameters)


async def defer(
    session: AsyncSession, run_id: str, later: Sequence[tuple[int, datetime, str]]
) -> None:
    """Move queued jobs (seq, not before, rule) to waiting; their claim lets go of them."""
    if later:
        seqs, due_ats, reasons = (list(column) for column in zip(*later, strict=True))
        parameters = {"run_id": run_id, "seqs": seqs, "due_ats": due_ats, "reasons": reasons}
        await session.execute(_DEFER, parameters)


async def defer_by(
    session: AsyncSession, run_id: str, seqs: Sequence[int], reason: str, seconds: float
) -> list[tuple[int, datetime]]:
    """Move queued jobs to waiting for this many seconds; those that moved, and until when."""
    parameters = {"run_id": run_id, "seqs": list(seqs), "reason": reason, "seconds": seconds}
    return [(row.seq, row.due_at) for row in await session.execute(_DEFER_BY, parameters)]


async def skip(session: AsyncSession, run_id: str, skipped: Sequence[tuple[int, str]]) -> None:
    """End queued jobs (seq, rule) without an attempt."""
    if skipped:
        seqs, reasons = (list(column) for column in zip(*skipped, strict=True))
        parameters = {"run_id": run_id, "seqs": seqs, "reasons": reasons}
        await session.execute(_SKIP, parameters)


async def lock_jobs(
    session: AsyncSession, keys: Sequence[tuple[str, int]]
) -> dict[tuple[str, int], LockedJob]:
    """Lock jobs in the order that everybody keeps to."""
    parameters = {"run_ids": [run_id for run_id, _ in keys], "seqs": [seq for _, seq in keys]}
    jobs = [LockedJob(*row) for row in await session.execute(_LOCK, parameters)]
    return {(job.run_id, job.seq): job for job in jobs}


async def move(
    session: AsyncSession, moves: Sequence[Move], *, only_from: Collection[str] | None = None
) -> list[MovedJob]:
    """Apply what attempts decided, where each is still its job's open one and may go there."""
    if not moves:
        return []
    allowed = [(a, b) for a, b in _STEPS if only_from is None or a in only_from]
    parameters = {
        "run_ids": [m.run_id for m in moves],
        "seqs": [m.seq for m in moves],
        "attempts": [m.attempt_id for m in moves],
        "states": [m.state for m in moves],
        "due_ats": [m.due_at for m in moves],
        "outcomes": [m.outcome for m in moves],
        "reasons": [m.reason for m in moves],
        "give_backs": [m.gives_back for m in moves],
        "befores": [earlier for earlier, _ in allowed],
        "afters": [later for _, later in allowed],
    }
    return [MovedJob(*row) for row in await session.execute(_MOVE, parameters)]


async def doubt_sending(session: AsyncSession, claim: Claim) -> list[tuple[int, str]]:
    """Put what a lost worker was sending in doubt: (seq, attempt). Never sent again from here."""
    parameters = {"run_id": claim.run_id, "claim_id": claim.claim_id}
    rows = await session.execute(_DOUBT_CLAIM, parameters)
    return [(row.seq, row.open_attempt) for row in rows]


async def cancel_range(
    session: AsyncSession, run_id: str, span: tuple[int, int], *, reason: str
) -> None:
    """End the queued jobs `span` (first, last) of a run of which nothing was handed out."""
    parameters = {"run_id": run_id, "first": span[0], "last": span[1], "reason": reason}
    await session.execute(_CANCEL_RANGE, parameters)


async def count_states(session: AsyncSession, run_id: str) -> tuple[dict[str, int], dict[str, int]]:
    """Jobs by state, and ended jobs by outcome: sums of states, never hand-kept counters."""
    states: dict[str, int] = {}
    outcomes: dict[str, int] = {}
    for state, outcome, jobs in await session.execute(_COUNT, {"run_id": run_id}):
        states[state] = states.get(state, 0) + jobs
        if outcome is not None and state in ("done", "exhausted"):
            outcomes[outcome] = outcomes.get(outcome, 0) + jobs
    return states, outcomes
