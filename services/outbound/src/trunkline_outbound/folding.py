"""What providers said of calls, folded into calls and jobs in batches, in any order."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import cast

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_common.contracts.api import RunPolicy
from trunkline_common.contracts.outbound import (
    CallAnswered,
    CallEnded,
    CallOutcome,
)
from trunkline_common.db import Database, outbox, transaction
from trunkline_common.db.outbox import Fact
from trunkline_common.db.transaction import name_commit, wake_after_commit
from trunkline_outbound.acceptance import Acceptance, accept
from trunkline_outbound.domain.calls import CallState, fold
from trunkline_outbound.domain.retries import Retry, Tries, end_of_job, rules_of
from trunkline_outbound.domain.states import call_outcome
from trunkline_outbound.facts import fact_of, job_ended
from trunkline_outbound.runs import ENDED, WORK
from trunkline_outbound.store import attempts, calls, decisions, events, jobs, limits, runs
from trunkline_outbound.store.attempts import Attempt
from trunkline_outbound.store.decisions import Decision
from trunkline_outbound.store.events import SaidOfCall
from trunkline_outbound.store.jobs import LockedJob, Move, MovedJob
from trunkline_outbound.store.whose import runs_of

log = logging.getLogger(__name__)

_NOW = text("SELECT clock_timestamp()")


async def fold_calls(database: Database, *, batch: int) -> int:
    """Fold what has arrived since the last look; how many events were folded."""
    async with transaction(database) as session:
        said = await events.lock_unfolded_calls(session, batch)
        if not said:
            return 0
        name_commit(session, "outbound.fold_calls")
        ids = sorted({s.attempt_id for s in said})
        run_ids = await runs_of(session, ids)
        known = await attempts.get_attempts(session, ids, run_ids=run_ids)
        judged = [(s, _problem(s, known.get(s.attempt_id))) for s in said]
        good = [s for s, problem in judged if problem is None]
        await events.mark_calls_folded(session, judged)
        if good:
            await _apply(session, good, known)
        return len(said)


def _problem(said: SaidOfCall, attempt: Attempt | None) -> str | None:
    """Why an event cannot be used. I5: nothing is applied to another business's attempt."""
    if attempt is None:
        problem = "unknown_attempt"
    elif (attempt.business_id, attempt.account) != (said.business_id, said.account):
        problem = "foreign_attempt"
    else:
        return None
    log.error("call.event_unusable", extra={"attempt": said.attempt_id, "problem": problem})
    return problem


async def _apply(
    session: AsyncSession, said: Sequence[SaidOfCall], known: Mapping[str, Attempt]
) -> None:
    ids = sorted({s.attempt_id for s in said})
    keys = sorted({(known[i].run_id, known[i].seq) for i in ids})
    locked = await jobs.lock_jobs(session, keys)
    await attempts.lock_attempts(session, [known[i] for i in ids])
    provider_ids = {s.attempt_id: s.provider_id for s in reversed(said)}
    await accept(session, [Acceptance(known[i], provider_ids[i], "callback") for i in ids])
    twins = {(s.attempt_id, s.provider_id) for s in said} - set(provider_ids.items())
    await accept(session, [Acceptance(known[i], p, "callback") for i, p in sorted(twins)])
    before = await calls.lock_calls(session, ids)
    sets = await events.call_sets(session, ids)
    after = {i: fold(i, sets.get(i, ())) for i in before}
    changed = [i for i in after if after[i] != before[i]]
    await calls.fold(session, [after[i] for i in changed])
    answered = [i for i in changed if after[i].answered and not before[i].answered]
    ended = [i for i in changed if after[i].is_final and after[i].status != before[i].status]
    facts = [_answered(known[i]) for i in answered]
    if ended:
        theirs = await calls.provider_ids(session, ended)
        facts += [_ended(known[i], theirs[i], after[i]) for i in ended]
        facts += await _end_jobs(session, [known[i] for i in ended], after, locked)
        await limits.free(session, ended)
        wake_after_commit(session, WORK)
        wake_after_commit(session, ENDED)
    await outbox.add_all(session, facts)


async def _end_jobs(
    session: AsyncSession,
    ended: Sequence[Attempt],
    states: Mapping[str, CallState],
    locked: Mapping[tuple[str, int], LockedJob],
) -> list[Fact]:
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
    await _log_later(session, moves, [job for job in moved if job.state == "waiting"])
    over = [job for job in moved if job.state != "waiting"]
    by_key = {(attempt.run_id, attempt.seq): attempt for attempt in ended}
    return [job_ended(by_key[job.run_id, job.seq], job) for job in over]


def _rules(policy: RunPolicy) -> Mapping[str, Retry]:
    named = policy.retries
    rules: dict[str, Retry] | None = None
    if named is not None:
        rules = {outcome: Retry(rule.most, rule.delays) for outcome, rule in named.items()}
    return rules_of(rules, max_attempts=policy.max_attempts, retry_after=policy.retry_after)


async def _log_later(
    session: AsyncSession, moves: Sequence[Move], waiting: Sequence[MovedJob]
) -> None:
    """Another try, later: a line of the log for every job that really waits now."""
    due = {(move.run_id, move.seq): move.due_at for move in moves}
    lines = []
    for job in waiting:
        key = (job.run_id, job.seq)
        line = Decision(job.business_id, *key, "deferred", job.reason, not_before=due[key])
        lines.append(line)
    await decisions.add(session, lines)


def _answered(attempt: Attempt) -> Fact:
    event = CallAnswered(
        call_id=attempt.call_id,
        attempt_id=attempt.attempt_id,
        run_id=attempt.run_id,
        seq=attempt.seq,
        answered_at=datetime.now(UTC),
    )
    return fact_of(attempt, event)


def _ended(attempt: Attempt, provider_id: str, state: CallState) -> Fact:
    event = CallEnded(
        call_id=attempt.call_id,
        attempt_id=attempt.attempt_id,
        run_id=attempt.run_id,
        seq=attempt.seq,
        contact_id=attempt.contact_id,
        provider_call_id=provider_id,
        outcome=cast("CallOutcome", call_outcome(state.status, state.answered_by)),
        duration=state.duration or 0,
        answered_by=state.answered_by,
        ended_at=datetime.now(UTC),
        code=state.code,
    )
    return fact_of(attempt, event)
