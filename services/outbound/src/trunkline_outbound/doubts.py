"""Attempts in doubt, resolved by what their provider's list of calls says: protocol section 6."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from prometheus_client import Counter
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_common.contracts.outbound import CallUnknown
from trunkline_common.db import Database, outbox, transaction
from trunkline_common.db.transaction import name_commit, wake_after_commit
from trunkline_outbound.acceptance import Acceptance, accept
from trunkline_outbound.accounts import Accounts
from trunkline_outbound.domain.doubts import (
    Absent,
    AskAgain,
    Found,
    Question,
    Ruling,
    Seen,
    delays,
    judge,
)
from trunkline_outbound.ending import go_back
from trunkline_outbound.facts import fact_of, job_ended
from trunkline_outbound.gateways.twilio_calls import ProviderSilent
from trunkline_outbound.gateways.voice import CallRegistry, Listing, ProviderCall
from trunkline_outbound.news import keep_news
from trunkline_outbound.runs import ENDED, WORK
from trunkline_outbound.store import attempts, decisions, jobs, limits, runs, surplus
from trunkline_outbound.store import doubts as store
from trunkline_outbound.store.attempts import Attempt
from trunkline_outbound.store.decisions import Decision, decision_of
from trunkline_outbound.store.doubts import Doubt
from trunkline_outbound.store.jobs import Move

log = logging.getLogger(__name__)

BATCH: Final = 50
AT_ONCE: Final = 10
MOST_RESENDS: Final = 5  # in a row; an absence costs the contact no attempt
ABSENT: Final = "provider_never_had_it"

RESOLVED = Counter("trunkline_doubts_total", "Looks at attempts in doubt", ["ruling"])


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds: `grace` after the send deadline, before which an absence proves nothing."""

    grace: float = 120.0


async def resolve_doubts(
    database: Database,
    registry: CallRegistry,
    accounts: Accounts,
    patience: Patience,
    *,
    clock: Callable[[], float] = time.monotonic,
) -> int:
    """Ask about every attempt whose time has come; how many were looked at."""
    began = clock()
    async with transaction(database) as session:
        due = await store.pick_doubts(session, delays=delays(), grace=patience.grace, batch=BATCH)
    bounded = asyncio.Semaphore(AT_ONCE)

    async def look(doubt: Doubt) -> None:
        async with bounded:
            try:
                await _resolve(database, registry, accounts, doubt, lambda: clock() - began)
            except Exception:  # its neighbours' looks must not be lost with it
                log.exception("doubt.not_resolved", extra={"attempt": doubt.attempt_id})

    async with asyncio.TaskGroup() as looking:
        for doubt in due:
            if doubt.polls > 1:  # the first pick only begins the count of seconds
                looking.create_task(look(doubt))
    return len(due)


async def _resolve(
    database: Database,
    registry: CallRegistry,
    accounts: Accounts,
    doubt: Doubt,
    since_picked: Callable[[], float],
) -> None:
    access = await accounts.access(
        doubt.channel_id, business_id=doubt.business_id, account=doubt.account
    )
    if access is None:
        return
    try:
        listing = await registry.between(access, sender=doubt.from_number, to=doubt.to_number)
    except ProviderSilent as error:
        log.warning("doubt.provider_silent", extra={"error": str(error)})
        RESOLVED.labels("silent").inc()
        return
    # A look waits its turn and for its answer: both clocks are read when that is here. Read too
    # late, ours only makes the past that is looked at longer.
    heard_at = doubt.now + timedelta(seconds=since_picked())
    async with transaction(database) as session:
        ruling = await _ruled(session, doubt, listing, heard_at)
        match ruling:
            case Found(provider_id, more):
                seen = next(c for c in listing.calls if c.provider_id == provider_id)
                await _found(session, doubt, seen, more)
            case Absent():
                await _absent(session, doubt)
            case AskAgain():
                pass
    RESOLVED.labels(type(ruling).__name__.lower()).inc()


async def _ruled(
    session: AsyncSession, doubt: Doubt, listing: Listing, heard_at: datetime
) -> Ruling:
    seen = [Seen(call.provider_id, call.created_at) for call in listing.calls]
    bound = await store.bound_to_others(session, doubt, [call.provider_id for call in seen])
    question = Question(doubt.intent_at, heard_at, listing.told_at, doubt.is_past_grace)
    return judge(question, seen, bound)


async def _found(
    session: AsyncSession, doubt: Doubt, seen: ProviderCall, more: tuple[str, ...]
) -> None:
    """The provider has it: a fact, whatever our answer was; and its news so far."""
    attempt = await _locked(session, doubt)
    if attempt is None:
        return
    name_commit(session, "outbound.doubt_found")
    await accept(session, [Acceptance(attempt, seen.provider_id, "poll")])
    await keep_news(session, attempt, seen)
    if more:
        log.error("call.made_twice", extra={"attempt": attempt.attempt_id, "surplus": len(more)})
        await surplus.add(session, [(attempt, provider_id) for provider_id in more])


async def _locked(session: AsyncSession, doubt: Doubt) -> Attempt | None:
    """The attempt with its job and itself locked, if it is still in doubt."""
    known = await attempts.get_attempts(session, [doubt.attempt_id], run_ids=[doubt.run_id])
    attempt = known.get(doubt.attempt_id)
    if attempt is None:
        return None
    await jobs.lock_jobs(session, [(attempt.run_id, attempt.seq)])
    states = await attempts.lock_attempts(session, [attempt])
    return attempt if states[attempt.attempt_id] == "in_doubt" else None


async def _absent(session: AsyncSession, doubt: Doubt) -> None:
    """The provider never had it: the run's policy says whether it may be tried again."""
    attempt_id = doubt.attempt_id
    attempt = await _locked(session, doubt)
    if attempt is None:
        return
    name_commit(session, "outbound.doubt_absent")
    again = await _may_resend(session, attempt)
    key = (attempt.run_id, attempt.seq, attempt.attempt_id)
    result = (attempt_id, "absent", None, ABSENT)
    await attempts.settle(session, [result], run_ids=[attempt.run_id], said_by="poll")
    if again:
        moves = [Move(*key, "waiting", ABSENT, due_at=doubt.now, gives_back=True)]
    else:
        moves = [Move(*key, "unknown", ABSENT)]
    moved = await jobs.move(session, moves)
    await attempts.close_sends(session, [attempt_id])
    said = decision_of(moves[0])
    await decisions.add(
        session, [Decision(attempt.business_id, attempt.run_id, attempt.seq, said, ABSENT)]
    )
    facts = [job_ended(attempt, job) for job in moved if job.state == "unknown"]
    facts += [fact_of(attempt, _unknown(attempt)) for job in moved if job.state == "unknown"]
    facts += await go_back(session, [attempt] if again else [])
    await outbox.add_all(session, facts)
    await limits.free(session, [attempt_id])
    wake_after_commit(session, WORK)
    wake_after_commit(session, ENDED)


async def _may_resend(session: AsyncSession, attempt: Attempt) -> bool:
    """Whether the run's policy says so, and it has not been said too often: a run must end."""
    run = await runs.get_run(session, attempt.run_id)
    if run is None or run.policy.when_absent != "resend":
        return False
    key = (attempt.run_id, attempt.seq)
    job = (await jobs.lock_jobs(session, [key]))[key]
    return job.misses < MOST_RESENDS


def _unknown(attempt: Attempt) -> CallUnknown:
    return CallUnknown(
        call_id=attempt.call_id,
        attempt_id=attempt.attempt_id,
        run_id=attempt.run_id,
        seq=attempt.seq,
        reason=ABSENT,
    )
