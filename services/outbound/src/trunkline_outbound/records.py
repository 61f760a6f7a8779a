"""What came of requests, in micro-batches: facts unfenced, decisions by the open attempt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_common.db import Database, outbox, transaction
from trunkline_common.db.transaction import wake_after_commit
from trunkline_outbound.acceptance import Acceptance, accept
from trunkline_outbound.domain.admission import back_off
from trunkline_outbound.domain.classification import Result
from trunkline_outbound.facts import job_ended
from trunkline_outbound.runs import ENDED, WORK
from trunkline_outbound.store import attempts, decisions, jobs, limits
from trunkline_outbound.store.attempts import Attempt
from trunkline_outbound.store.decisions import Decision, decision_of
from trunkline_outbound.store.jobs import LockedJob, Move

CONFIGURATION_DELAY = timedelta(seconds=60)
_NOW = text("SELECT clock_timestamp()")

_ATTEMPT_STATE = {
    "not_sent": "not_sent",
    "rejected": "rejected",
    "later": "rejected",
    "misconfigured": "rejected",
    "in_doubt": "in_doubt",
}


@dataclass(frozen=True, slots=True)
class Recorded:
    """One attempt with its result, on the way to its rows."""

    attempt_id: str
    result: Result


async def record(database: Database, batch: Sequence[Recorded]) -> None:
    """Write a batch of results. Safe to repeat: a second time changes nothing."""
    async with transaction(database) as session:
        known = await attempts.get_attempts(session, [r.attempt_id for r in batch])
        results = [(known[r.attempt_id], r.result) for r in batch if r.attempt_id in known]
        if not results:
            return
        keys = sorted({(attempt.run_id, attempt.seq) for attempt, _ in results})
        locked = await jobs.lock_jobs(session, keys)
        await attempts.lock_attempts(session, list(known))
        await accept(
            session,
            [
                Acceptance(attempt, result.provider_id or "", "answer")
                for attempt, result in results
                if result.kind == "accepted"
            ],
        )
        await _decide(session, [r for r in results if r[1].kind != "accepted"], locked)


async def _decide(
    session: AsyncSession,
    results: Sequence[tuple[Attempt, Result]],
    locked: dict[tuple[str, int], LockedJob],
) -> None:
    if not results:
        return
    open_still = await attempts.settle(
        session,
        [(a.attempt_id, _ATTEMPT_STATE[r.kind], r.code, r.reason) for a, r in results],
        said_by="answer",
    )
    decided = [(a, r) for a, r in results if a.attempt_id in open_still]
    now: datetime = (await session.execute(_NOW)).scalar_one()
    moves = [_move(a, r, locked[a.run_id, a.seq], now) for a, r in decided]
    moved = await jobs.move(session, moves, from_states=("sending", "in_doubt"))
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
    await outbox.add_all(session, [job_ended(by_key[j.run_id, j.seq], j) for j in ended])
    if await limits.free(session, over):
        wake_after_commit(session, WORK)
    wake_after_commit(session, ENDED)


def _move(attempt: Attempt, result: Result, job: LockedJob, now: datetime) -> Move:
    key = (attempt.run_id, attempt.seq, attempt.attempt_id)
    if result.kind == "not_sent":
        return Move(*key, "waiting", "not_sent", due_at=now + back_off(job.attempts))
    if result.kind == "later":
        return Move(
            *key, "waiting", "provider_limit", due_at=now + timedelta(seconds=result.retry_after)
        )
    if result.kind == "misconfigured":
        return Move(*key, "waiting", "channel_refused", due_at=now + CONFIGURATION_DELAY)
    if result.kind == "rejected":
        return Move(*key, "done", f"rejected_{result.code}", outcome="failed")
    return Move(*key, "in_doubt", "no_answer_from_provider")
