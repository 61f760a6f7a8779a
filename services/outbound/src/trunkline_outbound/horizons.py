"""Nothing waits for ever: what happens to attempts and calls of which no more news came."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_common.contracts.outbound import CallUnknown
from trunkline_common.db import Database, outbox, transaction
from trunkline_common.db.transaction import name_commit, wake_after_commit
from trunkline_outbound.facts import fact_of, job_ended
from trunkline_outbound.runs import ENDED, WORK
from trunkline_outbound.store import attempts, decisions, doubts, jobs, limits
from trunkline_outbound.store.attempts import Attempt
from trunkline_outbound.store.decisions import Decision
from trunkline_outbound.store.jobs import Move, MovedJob

log = logging.getLogger(__name__)

BATCH = 200

# How long a call may last its provider was told when it was made: an edit is for later ones. A call
# from before that was kept lasts as its run says.
_SILENT_CALLS = text(
    """
SELECT calls.attempt_id, calls.run_id FROM calls
  JOIN jobs ON jobs.run_id = calls.run_id AND jobs.seq = calls.seq
  JOIN runs ON runs.run_id = calls.run_id
 WHERE calls.ended_at IS NULL AND jobs.state = 'accepted'
   AND jobs.open_attempt = calls.attempt_id
   AND calls.dialled_at < clock_timestamp() - make_interval(secs => :margin
       + coalesce(calls.lasts, CAST(runs.policy ->> 'ring_timeout' AS integer)
                             + CAST(runs.policy ->> 'time_limit' AS integer)))
 ORDER BY calls.dialled_at LIMIT :batch
"""
)
# The outcome is the last word of messaging; without one it never said anything.
_SILENT_MESSAGES = text(
    """
SELECT jobs.open_attempt, jobs.run_id FROM jobs JOIN runs USING (run_id)
 WHERE runs.channel = 'whatsapp' AND runs.state IN ('running', 'paused', 'cancelling')
   AND jobs.state = 'accepted' AND (jobs.outcome IS NOT NULL) = :heard_of
   AND jobs.changed_at < clock_timestamp() - make_interval(secs => :horizon)
 LIMIT :batch
"""
)


@dataclass(frozen=True, slots=True)
class Horizons:
    """How long each kind of silence is borne, in seconds.

    `call_margin`: past the ringing and talking time that the run allows. `message`: after the
    last word on a message. `unheard`: without any word; longer than messaging itself doubts.
    """

    in_doubt: float = 600.0
    call_margin: float = 900.0
    message: float = 86_400.0
    unheard: float = 108_000.0


async def close_silent(database: Database, horizons: Horizons) -> None:
    """Give a state to everything that has been silent for too long.

    An attempt in doubt ends `unknown`, never sent again by itself; a later callback corrects it.
    """
    async with transaction(database) as session:
        doubtful = await doubts.doubtful(session, grace=horizons.in_doubt, batch=BATCH)
        calls = await _find(session, _SILENT_CALLS, margin=horizons.call_margin)
        heard_of = await _find(session, _SILENT_MESSAGES, horizon=horizons.message, heard_of=True)
        unheard = await _find(session, _SILENT_MESSAGES, horizon=horizons.unheard, heard_of=False)
    for found, state, reason in (
        (doubtful, "unknown", "no_proof_of_acceptance"),
        (calls, "unknown", "no_final_callback"),
        (heard_of, "done", "no_further_status"),
        (unheard, "unknown", "message_unheard"),
    ):
        if found:
            async with transaction(database) as session:
                await _close(session, found, state=state, reason=reason)


async def _find(session: AsyncSession, query: TextClause, **more: float | bool) -> dict[str, str]:
    rows = await session.execute(query, {**more, "batch": BATCH})
    return {row[0]: row[1] for row in rows}


async def _close(
    session: AsyncSession, found: Mapping[str, str], *, state: str, reason: str
) -> None:
    """Close the attempts that were found (attempt → run), where nothing changed since."""
    known = await attempts.get_attempts(session, list(found), run_ids=set(found.values()))
    keys = sorted({(a.run_id, a.seq) for a in known.values()})
    locked = await jobs.lock_jobs(session, keys)
    await attempts.lock_attempts(session, known.values())
    # Read again under the locks: a message may have been heard of since it was found unheard.
    moves = [
        Move(a.run_id, a.seq, a.attempt_id, state, reason, outcome=job.outcome)
        for a in known.values()
        if (job := locked[a.run_id, a.seq]).open_attempt == a.attempt_id
        and (state == "done") == (job.outcome is not None)
    ]
    moved = await jobs.move(session, moves, only_from=("in_doubt", "accepted"))
    if moved:
        closed = {(job.run_id, job.seq) for job in moved}
        ours = [a for a in known.values() if (a.run_id, a.seq) in closed]
        await _tell(session, ours, moved, state=state, reason=reason)


async def _tell(
    session: AsyncSession,
    ours: Sequence[Attempt],
    moved: Sequence[MovedJob],
    *,
    state: str,
    reason: str,
) -> None:
    """Settle the attempts of jobs that were closed, say so, and free what they held."""
    name_commit(session, "outbound.horizon")
    ids = [a.attempt_id for a in ours]
    await attempts.settle(
        session,
        [(i, "unknown", None, reason) for i in ids],
        run_ids={a.run_id for a in ours},
        said_by="horizon",
    )
    await attempts.close_sends(session, ids)
    await decisions.add(
        session, [Decision(a.business_id, a.run_id, a.seq, state, reason) for a in ours]
    )
    by_key = {(a.run_id, a.seq): a for a in ours}
    facts = [job_ended(by_key[job.run_id, job.seq], job) for job in moved]
    if reason != "message_unheard":
        facts += [fact_of(a, _unknown(a, reason)) for a in ours if state == "unknown"]
    await outbox.add_all(session, facts)
    if await limits.free(session, ids):
        wake_after_commit(session, WORK)
    wake_after_commit(session, ENDED)
    log.error("attempt.horizon", extra={"attempts": len(ids), "state": state, "reason": reason})


def _unknown(attempt: Attempt, reason: str) -> CallUnknown:
    return CallUnknown(
        call_id=attempt.call_id,
        attempt_id=attempt.attempt_id,
        run_id=attempt.run_id,
        seq=attempt.seq,
        reason=reason,
    )
