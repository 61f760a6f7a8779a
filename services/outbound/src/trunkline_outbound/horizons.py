"""Nothing waits for ever: what happens to attempts and calls of which no more news came."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_common.contracts.outbound import CallUnknown
from trunkline_common.db import Database, outbox, transaction
from trunkline_common.db.transaction import wake_after_commit
from trunkline_outbound.facts import fact_of, job_ended
from trunkline_outbound.runs import ENDED, WORK
from trunkline_outbound.store import attempts, decisions, jobs, limits
from trunkline_outbound.store.attempts import Attempt
from trunkline_outbound.store.decisions import Decision
from trunkline_outbound.store.jobs import Move

log = logging.getLogger(__name__)

BATCH = 200

_SILENT_CALLS = text(
    """
SELECT calls.attempt_id FROM calls
  JOIN jobs ON jobs.run_id = calls.run_id AND jobs.seq = calls.seq
 WHERE calls.ended_at IS NULL AND jobs.state = 'accepted'
   AND jobs.open_attempt = calls.attempt_id
   AND calls.dialled_at < clock_timestamp() - make_interval(secs => :horizon)
 ORDER BY calls.dialled_at LIMIT :batch
"""
)
_SILENT_MESSAGES = text(
    """
SELECT jobs.open_attempt FROM jobs JOIN runs USING (run_id)
 WHERE runs.channel = 'whatsapp' AND runs.state IN ('running', 'paused', 'cancelling')
   AND jobs.state = 'accepted'
   AND jobs.changed_at < clock_timestamp() - make_interval(secs => :horizon)
 LIMIT :batch
"""
)


@dataclass(frozen=True, slots=True)
class Horizons:
    """How long each kind of silence is borne, in seconds."""

    in_doubt: float = 600.0
    call: float = 7200.0
    message: float = 86_400.0


async def close_silent(database: Database, horizons: Horizons) -> None:
    """Give a state to everything that has been silent for too long.

    An attempt in doubt ends `unknown`, never sent again by itself; a later callback corrects it.
    """
    async with transaction(database) as session:
        doubtful = await attempts.doubtful(session, grace=horizons.in_doubt, batch=BATCH)
        silent = list(
            (
                await session.execute(_SILENT_CALLS, {"horizon": horizons.call, "batch": BATCH})
            ).scalars()
        )
        unheard = list(
            (
                await session.execute(
                    _SILENT_MESSAGES, {"horizon": horizons.message, "batch": BATCH}
                )
            ).scalars()
        )
    for ids, state, reason in (
        (doubtful, "unknown", "no_proof_of_acceptance"),
        (silent, "unknown", "no_final_callback"),
        (unheard, "done", "no_further_status"),
    ):
        if ids:
            async with transaction(database) as session:
                await _close(session, ids, state=state, reason=reason)


async def _close(
    session: AsyncSession, attempt_ids: Sequence[str], *, state: str, reason: str
) -> None:
    known = await attempts.get_attempts(session, attempt_ids)
    keys = sorted({(a.run_id, a.seq) for a in known.values()})
    locked = await jobs.lock_jobs(session, keys)
    await attempts.lock_attempts(session, list(known))
    moves = [
        Move(a.run_id, a.seq, a.attempt_id, state, reason, outcome=_outcome(a, locked, state))
        for a in known.values()
        if locked[a.run_id, a.seq].open_attempt == a.attempt_id
    ]
    moved = await jobs.move(session, moves, from_states=("in_doubt", "accepted"))
    closed = {(job.run_id, job.seq) for job in moved}
    ours = [a for a in known.values() if (a.run_id, a.seq) in closed]
    ids = [a.attempt_id for a in ours]
    await attempts.settle(session, [(i, "unknown", None, reason) for i in ids], said_by="horizon")
    await attempts.close_sends(session, ids)
    await decisions.add(
        session, [Decision(a.business_id, a.run_id, a.seq, state, reason) for a in ours]
    )
    by_key = {(a.run_id, a.seq): a for a in ours}
    facts = [job_ended(by_key[job.run_id, job.seq], job) for job in moved]
    facts += [fact_of(a, _unknown(a, reason)) for a in ours if state == "unknown"]
    await outbox.add_all(session, facts)
    if await limits.free(session, ids):
        wake_after_commit(session, WORK)
    wake_after_commit(session, ENDED)
    log.error("attempt.horizon", extra={"attempts": len(ids), "state": state, "reason": reason})


def _outcome(
    attempt: Attempt, locked: dict[tuple[str, int], jobs.LockedJob], state: str
) -> str | None:
    """A message that was accepted and never heard of again keeps the last word it had."""
    if state != "done":
        return None
    return locked[attempt.run_id, attempt.seq].outcome or "accepted"


def _unknown(attempt: Attempt, reason: str) -> CallUnknown:
    return CallUnknown(
        call_id=attempt.call_id,
        attempt_id=attempt.attempt_id,
        run_id=attempt.run_id,
        seq=attempt.seq,
        reason=reason,
    )
