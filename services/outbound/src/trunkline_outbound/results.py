"""What messaging said of a run's messages, folded into their jobs in batches, in any order."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_common.db import Database, outbox, transaction
from trunkline_common.db.transaction import name_commit, wake_after_commit
from trunkline_outbound.domain.states import FINAL_JOB, MESSAGE_RANK
from trunkline_outbound.facts import job_ended
from trunkline_outbound.runs import ENDED, WORK
from trunkline_outbound.store import attempts, decisions, events, jobs, limits, recounts, touches
from trunkline_outbound.store.attempts import Attempt
from trunkline_outbound.store.decisions import Decision
from trunkline_outbound.store.events import SaidOfMessage
from trunkline_outbound.store.jobs import LockedJob, Move

log = logging.getLogger(__name__)

_PROGRESS = frozenset({"accepted", "sent"})


async def fold_messages(database: Database, *, batch: int) -> int:
    """Fold what has arrived since the last look; how many events were folded."""
    async with transaction(database) as session:
        said = await events.lock_unfolded_messages(session, batch)
        if not said:
            return 0
        name_commit(session, "outbound.fold_messages")
        ids = sorted({s.attempt_id for s in said})
        known = await attempts.get_attempts(session, ids, run_ids=sorted({s.run_id for s in said}))
        judged = [(s, _problem(s, known.get(s.attempt_id))) for s in said]
        await events.mark_messages_folded(session, judged)
        good = [s for s, problem in judged if problem is None]
        if good:
            await _apply(session, good, known)
        return len(said)


def _problem(said: SaidOfMessage, attempt: Attempt | None) -> str | None:
    if attempt is None:
        problem = "unknown_attempt"
    elif attempt.business_id != said.business_id:
        problem = "foreign_attempt"
    else:
        return None
    log.error("message.event_unusable", extra={"attempt": said.attempt_id, "problem": problem})
    return problem


async def _apply(
    session: AsyncSession, said: Sequence[SaidOfMessage], known: Mapping[str, Attempt]
) -> None:
    highest: dict[str, SaidOfMessage] = {}
    for event in said:
        best = highest.get(event.attempt_id)
        if best is None or MESSAGE_RANK[event.status] > MESSAGE_RANK[best.status]:
            highest[event.attempt_id] = event
    keys = sorted({(known[i].run_id, known[i].seq) for i in highest})
    locked = await jobs.lock_jobs(session, keys)
    moves = []
    for attempt_id, event in sorted(highest.items()):
        attempt = known[attempt_id]
        job = locked[attempt.run_id, attempt.seq]
        if _beats(event.status, job):
            moves.append(_move(attempt, event, job))
    moved = await jobs.move(session, moves)
    await recounts.note(session, moved, locked)
    await _rebudget(session, moves, locked)
    lines = [
        Decision(j.business_id, j.run_id, j.seq, "skipped", j.reason, "after its hand-over")
        for j in moved
        if j.state == "skipped"
    ]
    await decisions.add(session, lines)
    by_key = {(known[i].run_id, known[i].seq): known[i] for i in highest}
    await outbox.add_all(
        session,
        [job_ended(by_key[j.run_id, j.seq], j) for j in moved if j.state != "accepted"],
    )
    # The hand-over window opens as soon as messaging knows the provider's first word.
    if await limits.free(session, sorted(highest)):
        wake_after_commit(session, WORK)
    wake_after_commit(session, ENDED)


async def _rebudget(
    session: AsyncSession, moves: Sequence[Move], locked: Mapping[tuple[str, int], LockedJob]
) -> None:
    """What reached nobody is given back to its contact's budget; a later proof takes it again."""
    stopped = ("cancelled", "skipped")
    gone = [m.attempt_id for m in moves if m.state in stopped or m.outcome == "failed"]
    back = [
        m.attempt_id
        for m in moves
        if m.outcome in ("delivered", "read") and locked[m.run_id, m.seq].outcome == "failed"
    ]
    await touches.give_back(session, gone)
    await touches.restore(session, back)


def _beats(status: str, job: LockedJob) -> bool:
    """Whether this is news: the highest rank wins, so any order gives one result."""
    shown = job.outcome if job.state != "unknown" else "unknown"
    return MESSAGE_RANK[status] > MESSAGE_RANK.get(shown or "", 0)


def _move(attempt: Attempt, event: SaidOfMessage, job: LockedJob) -> Move:
    key = (attempt.run_id, attempt.seq, attempt.attempt_id)
    if event.status in _PROGRESS and job.state not in FINAL_JOB:
        return Move(*key, "accepted", f"message_{event.status}", outcome=event.status)
    if event.status == "cancelled" and event.reason is not None:
        return Move(*key, "skipped", event.reason)  # its contact was suppressed meanwhile
    if event.status == "cancelled":
        return Move(*key, "cancelled", "run_cancelled")
    if event.status == "unknown":
        return Move(*key, "unknown", event.reason or "message_unknown")
    detail = f"_{event.code}" if event.status == "failed" and event.code else ""
    return Move(*key, "done", f"message_{event.status}{detail}", outcome=event.status)
