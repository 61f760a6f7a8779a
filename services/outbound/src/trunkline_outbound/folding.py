"""What providers said of calls, folded into calls and jobs in batches, in any order."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import cast

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_common.contracts.outbound import (
    CallAnswered,
    CallEnded,
    CallOutcome,
)
from trunkline_common.db import Database, outbox, transaction
from trunkline_common.db.outbox import Fact
from trunkline_common.db.transaction import wake_after_commit
from trunkline_outbound.acceptance import Acceptance, accept
from trunkline_outbound.domain.calls import CallState, fold
from trunkline_outbound.domain.states import call_outcome, end_of_job
from trunkline_outbound.facts import fact_of, job_ended
from trunkline_outbound.runs import ENDED, WORK
from trunkline_outbound.store import attempts, calls, decisions, events, jobs, limits, runs
from trunkline_outbound.store.attempts import Attempt
from trunkline_outbound.store.decisions import Decision
from trunkline_outbound.store.events import SaidOfCall
from trunkline_outbound.store.jobs import LockedJob, Move

log = logging.getLogger(__name__)

_NOW = text("SELECT clock_timestamp()")
_IN_FLIGHT = ("sending", "in_doubt", "accepted")
# `done` too: a final status of a higher rank corrects the outcome, whichever came first. But no
# job leaves a final state for another try.
_ENDABLE = (*_IN_FLIGHT, "unknown", "done")


async def fold_calls(database: Database, *, batch: int) -> int:
    """Fold what has arrived since the last look; how many events were folded."""
    async with transaction(database) as session:
        said = await events.lock_unfolded_calls(session, batch)
        if not said:
            return 0
        known = await attempts.get_attempts(session, sorted({s.attempt_id for s in said}))
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
    await attempts.lock_attempts(session, ids)
    provider_ids = {s.attempt_id: s.provider_id for s in reversed(said)}
    await accept(session, [Acceptance(known[i], provider_ids[i], "callback") for i in ids])
    before = await calls.lock_calls(session, ids)
    sets = await events.call_sets(session, ids)
    after = {i: fold(i, sets.get(i, ())) for i in before}
    changed = [i for i in after if after[i] != before[i]]
    await calls.fold(session, [after[i] for i in changed])
    answered = [i for i in changed if after[i].answered and not before[i].answered]
    ended = [i for i in changed if after[i].is_final and after[i].status != before[i].status]
    facts = [_answered(known[i]) for i in answered]
    if ended:
        facts += [_ended(known[i], provider_ids[i], after[i]) for i in ended]
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
    moves = []
    for attempt in ended:
        state, policy = states[attempt.attempt_id], policies[attempt.run_id]
        end = end_of_job(
            call_outcome(state.status, state.answered_by),
            attempts=locked[attempt.run_id, attempt.seq].attempts,
            max_attempts=policy.max_attempts,
        )
        due_at = now + timedelta(seconds=policy.retry_after) if end.state == "waiting" else None
        outcome = None if end.state == "waiting" else end.outcome
        key = (attempt.run_id, attempt.seq, attempt.attempt_id)
        moves.append(Move(*key, end.state, end.reason, outcome, due_at))
    again = [m for m in moves if m.state == "waiting"]
    final = [m for m in moves if m.state != "waiting"]
    await _defer(session, again)
    moved = await jobs.move(session, final, from_states=_ENDABLE)
    by_key = {(attempt.run_id, attempt.seq): attempt for attempt in ended}
    return [job_ended(by_key[job.run_id, job.seq], job) for job in moved]


async def _defer(session: AsyncSession, again: Sequence[Move]) -> None:
    """Another try, later: a line of the log for every job that really waits now."""
    due = {(move.run_id, move.seq): move.due_at for move in again}
    waiting = await jobs.move(session, again, from_states=_IN_FLIGHT)
    await decisions.add(
        session,
        [
            Decision(
                job.business_id, job.run_id, job.seq, "deferred", job.reason,
                not_before=due[job.run_id, job.seq],
            )
            for job in waiting
        ],
    )  # fmt: skip


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
    )
    return fact_of(attempt, event)
