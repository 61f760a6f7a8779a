"""What came of requests, in micro-batches: facts unfenced, decisions by the open attempt."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_common.db import Database, outbox, pace, transaction
from trunkline_common.db.transaction import name_commit, wake_after_commit
from trunkline_common.ids import number_scope
from trunkline_outbound.acceptance import Acceptance, accept, accept_open
from trunkline_outbound.domain.admission import back_off
from trunkline_outbound.domain.classification import Result
from trunkline_outbound.ending import go_back
from trunkline_outbound.facts import job_ended
from trunkline_outbound.runs import ENDED, WORK
from trunkline_outbound.store import answered, attempts, channels, decisions, jobs, limits
from trunkline_outbound.store.answered import Answered
from trunkline_outbound.store.attempts import Attempt
from trunkline_outbound.store.decisions import Decision, decision_of
from trunkline_outbound.store.jobs import LockedJob, Move

log = logging.getLogger(__name__)

_NOW = text("SELECT clock_timestamp()")

_ATTEMPT_STATE = {
    "not_sent": "not_sent",
    "rejected": "rejected",
    "later": "rejected",
    "misconfigured": "rejected",
    "in_doubt": "in_doubt",
}
# Protocol 5.6: what a limit or we ourselves stopped is no attempt of the contact.
_NEVER_A_CALL = frozenset({"not_sent", "later", "misconfigured"})


@dataclass(frozen=True, slots=True)
class Recorded:
    """One attempt with its result, on the way to its rows."""

    attempt_id: str
    run_id: str
    result: Result


async def record(database: Database, batch: Sequence[Recorded]) -> None:
    """Write a batch of results. Safe to repeat: a second time changes nothing."""
    async with transaction(database) as session:
        known = await answered.lock(session, [(r.run_id, r.attempt_id) for r in batch])
        if not known:
            return
        name_commit(session, "outbound.record")
        news: dict[str, tuple[Answered, str]] = {}
        results: list[tuple[Attempt, Result]] = []
        for one in batch:
            of_one, result = known.get(one.attempt_id), one.result
            if of_one is None:
                continue
            first = of_one.is_open and one.attempt_id not in news
            if first and result.kind == "accepted" and result.provider_id:
                news[one.attempt_id] = (of_one, result.provider_id)
            else:
                results.append((of_one.attempt, result))
        await accept_open(session, list(news.values()), said_by="answer")
        if results:
            await _apply(session, results, known)


async def _apply(
    session: AsyncSession, results: Sequence[tuple[Attempt, Result]], known: Mapping[str, Answered]
) -> None:
    """Apply whatever else came of requests; jobs and attempts are locked."""
    locked = {(a.attempt.run_id, a.attempt.seq): a.job for a in known.values()}
    await accept(
        session,
        [
            Acceptance(attempt, result.provider_id or "", "answer")
            for attempt, result in results
            if result.kind == "accepted"
        ],
    )
    decided = await _decide(session, [r for r in results if r[1].kind != "accepted"], locked)
    await _learn(session, results)
    over = [attempt.attempt_id for attempt, result in decided if result.kind != "in_doubt"]
    if await limits.free(session, over):
        wake_after_commit(session, WORK)
    await _slow(session, decided)
    if decided:
        wake_after_commit(session, ENDED)


async def _decide(
    session: AsyncSession,
    results: Sequence[tuple[Attempt, Result]],
    locked: dict[tuple[str, int], LockedJob],
) -> list[tuple[Attempt, Result]]:
    """Apply what was decided of open attempts; those that were."""
    if not results:
        return []
    open_still = await attempts.settle(
        session,
        [(a.attempt_id, _ATTEMPT_STATE[r.kind], r.code, r.reason) for a, r in results],
        run_ids={a.run_id for a, _ in results},
        said_by="answer",
    )
    decided = [(a, r) for a, r in results if a.attempt_id in open_still]
    now: datetime = (await session.execute(_NOW)).scalar_one()
    moves = [_move(a, r, locked[a.run_id, a.seq], now) for a, r in decided]
    moved = await jobs.move(session, moves, only_from=("sending", "in_doubt"))
    wait = {(job.run_id, job.seq) for job in moved if job.state == "waiting"}
    gone = [a for a, _ in decided if (a.run_id, a.seq) in wait]
    facts = await go_back(session, gone)
    over = [a.attempt_id for a, r in decided if r.kind != "in_doubt"]
    await attempts.close_sends(session, over)
    by_key = {(a.run_id, a.seq): a for a, _ in decided}
    await decisions.add(
        session,
        [
            Decision(a.business_id, a.run_id, a.seq, decision_of(m), m.reason, r.code, m.due_at)
            for (a, r), m in zip(decided, moves, strict=True)
        ],
    )
    ended = [job for job in moved if job.state == "done"]
    facts += [job_ended(by_key[j.run_id, j.seq], j) for j in ended]
    await outbox.add_all(session, facts)
    return decided


async def _learn(session: AsyncSession, results: Sequence[tuple[Attempt, Result]]) -> None:
    """What results say of a channel: refused, it is left alone but for one request a minute."""
    accepted = {a.channel_id for a, result in results if result.kind == "accepted"}
    await channels.trust(session, sorted(accepted))
    refused = [(a.attempt_id, a.run_id) for a, result in results if result.kind == "misconfigured"]
    if refused:
        for channel_id in await channels.hold(session, refused):
            log.error("channel.held", extra={"channel": channel_id})


async def _slow(session: AsyncSession, decided: Sequence[tuple[Attempt, Result]]) -> None:
    """Lower the pace of accounts and numbers that were too fast. Pace is locked last."""
    late = [attempt for attempt, result in decided if result.kind == "later"]
    numbers = {number_scope(attempt.scope, attempt.from_number): 0.0 for attempt in late}
    limited = {attempt.scope: 0.0 for attempt in late} | numbers
    for account, per_second in (await pace.slow(session, limited)).items():
        log.warning("account.limited", extra={"account": account, "per_second": per_second})


def _move(attempt: Attempt, result: Result, job: LockedJob, now: datetime) -> Move:
    key = (attempt.run_id, attempt.seq, attempt.attempt_id)
    if result.kind in _NEVER_A_CALL:
        reason, wait = _wait(result, job)
        return Move(*key, "waiting", reason, due_at=now + wait, gives_back=True)
    if result.kind == "rejected":
        return Move(*key, "done", f"rejected_{result.code}", outcome="failed")
    return Move(*key, "in_doubt", "no_answer_from_provider")


def _wait(result: Result, job: LockedJob) -> tuple[str, timedelta]:
    """Why a job waits after a request that was no call, and how long."""
    if result.kind == "not_sent":
        return "not_sent", back_off(job.misses + 1)
    if result.kind == "later":
        return "provider_limit", timedelta(seconds=result.retry_after)
    # Its channel is held, so the job need not be: it goes on as soon as the channel is repaired.
    return "channel_refused", timedelta()
