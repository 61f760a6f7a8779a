"""What a job comes to when its call has ended, or when an attempt came to nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_common.contracts.api import RunPolicy
from trunkline_common.db.outbox import Fact
from trunkline_outbound.domain.calls import CallState
from trunkline_outbound.domain.retries import Retry, Tries, end_of_job, rules_of
from trunkline_outbound.domain.states import call_outcome
from trunkline_outbound.facts import job_ended
from trunkline_outbound.store import attempts, calls, decisions, jobs, recounts, runs, surplus
from trunkline_outbound.store.attempts import Attempt
from trunkline_outbound.store.decisions import Decision
from trunkline_outbound.store.jobs import LockedJob, Move, MovedJob

ACCEPTED_LATE = "accepted_late"  # as the job's reason says

_NOW = text("SELECT clock_timestamp()")


async def end_jobs(
    session: AsyncSession,
    ended: Sequence[Attempt],
    states: Mapping[str, CallState],
    locked: Mapping[tuple[str, int], LockedJob],
) -> list[Fact]:
    """Move the jobs of calls that have ended to what comes next; the ends that are to be told."""
    now: datetime = (await session.execute(_NOW)).scalar_one()
    policies = {}
    for run_id in sorted({attempt.run_id for attempt in ended}):
        run = await runs.get_run(session, run_id)
        if run is not None:
            policies[run_id] = run.policy
    again = [(a.run_id, a.seq) for a in ended if locked[a.run_id, a.seq].attempts > 1]
    outcomes = await calls.ended_outcomes(session, again)
    moves = []
    for attempt in ended:
        state, policy = states[attempt.attempt_id], policies[attempt.run_id]
        job = locked[attempt.run_id, attempt.seq]
        outcome = call_outcome(state.status, state.answered_by)
        alike = outcomes.get((attempt.run_id, attempt.seq), {}).get(outcome, 1)
        end = end_of_job(
            outcome,
            state=job.state,
            tries=Tries(job.attempts, alike),
            cap=policy.max_attempts,
            rules=_rules(policy),
        )
        due_at = now + timedelta(seconds=end.wait) if end.state == "waiting" else None
        shown = None if end.state == "waiting" else end.outcome
        key = (attempt.run_id, attempt.seq, attempt.attempt_id)
        moves.append(Move(*key, end.state, end.reason, shown, due_at))
    moved = await jobs.move(session, moves)
    await recounts.note(session, moved, locked)
    await _log_later(session, moves, [job for job in moved if job.state == "waiting"])
    over = [job for job in moved if job.state != "waiting"]
    by_key = {(attempt.run_id, attempt.seq): attempt for attempt in ended}
    facts = [job_ended(by_key[job.run_id, job.seq], job) for job in over]
    wait = [by_key[job.run_id, job.seq] for job in moved if job.state == "waiting"]
    return facts + await go_back(session, wait)


async def go_back(session: AsyncSession, gone: Sequence[Attempt]) -> list[Fact]:
    """Nobody is tried again whom another call of the job has reached, or may reach yet.

    `gone` came to nothing, and their jobs wait; the ends that are to be told. INVARIANT: whoever
    puts a job of an attempt to waiting asks this in the same transaction; the jobs are locked.
    """
    theirs = await surplus.back_to(session, gone) if gone else []
    if not theirs:
        return []
    run_ids = sorted({attempt.run_id for attempt in gone})
    known = await attempts.get_attempts(session, sorted(theirs), run_ids=run_ids)
    lines = [
        Decision(a.business_id, a.run_id, a.seq, "accepted", ACCEPTED_LATE) for a in known.values()
    ]
    await decisions.add(session, lines)
    states = await calls.lock_calls(session, sorted(theirs))
    ended = [known[i] for i in sorted(theirs) if i in states and states[i].is_final]
    if not ended:
        return []
    locked = await jobs.lock_jobs(session, sorted({(a.run_id, a.seq) for a in ended}))
    return await end_jobs(session, ended, states, locked)


def _rules(policy: RunPolicy) -> Mapping[str, Retry]:
    named = policy.retries
    rules: dict[str, Retry] | None = None
    if named is not None:
        rules = {outcome: Retry(rule.most, rule.delays) for outcome, rule in named.items()}
    return rules_of(rules, max_attempts=policy.max_attempts, retry_after=policy.retry_after)


async def _log_later(
    session: AsyncSession, moves: Sequence[Move], waiting: Sequence[MovedJob]
) -> None:
    """Another try, later: a line of the log for every job that waits by its last call's end."""
    due = {(move.run_id, move.seq): move.due_at for move in moves}
    lines = []
    for job in waiting:
        key = (job.run_id, job.seq)
        line = Decision(job.business_id, *key, "deferred", job.reason, not_before=due[key])
        lines.append(line)
    await decisions.add(session, lines)
