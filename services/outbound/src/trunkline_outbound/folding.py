"""What providers said of calls, folded into calls and jobs in batches, in any order."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import cast

from sqlalchemy.ext.asyncio import AsyncSession

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
from trunkline_outbound.domain.states import call_outcome
from trunkline_outbound.ending import end_jobs
from trunkline_outbound.facts import fact_of
from trunkline_outbound.runs import ENDED, WORK
from trunkline_outbound.store import attempts, calls, events, jobs, limits
from trunkline_outbound.store.attempts import Attempt
from trunkline_outbound.store.events import SaidOfCall
from trunkline_outbound.store.whose import runs_of

log = logging.getLogger(__name__)


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
        facts += await end_jobs(session, [known[i] for i in ended], after, locked)
        await limits.free(session, ended)
        wake_after_commit(session, WORK)
        wake_after_commit(session, ENDED)
    await outbox.add_all(session, facts)


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
