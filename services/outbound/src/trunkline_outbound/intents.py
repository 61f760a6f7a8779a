"""The right to send, written down before the first byte: one short transaction a micro-batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_common.contracts.outbound import RunMessageDue
from trunkline_common.db import Database, outbox, pace, transaction
from trunkline_common.db.outbox import Fact
from trunkline_common.db.transaction import name_commit
from trunkline_common.ids import ATTEMPT, CALL, new_id
from trunkline_outbound.admitted import NO_ROOM, Draft, Intents
from trunkline_outbound.admitting import admit_picked, decision, rules_of
from trunkline_outbound.domain.admission import grant
from trunkline_outbound.pool import Pool, pool_of
from trunkline_outbound.store import attempts, channels, decisions, gate, intents, jobs, limits
from trunkline_outbound.store.attempts import NewAttempt
from trunkline_outbound.store.channels import Channel
from trunkline_outbound.store.claims import Claim
from trunkline_outbound.store.intents import IntentFrame
from trunkline_outbound.store.jobs import QueuedJob
from trunkline_outbound.store.runs import Run
from trunkline_outbound.texts import texts_for
from trunkline_outbound.tracing import traceparent_for

PACE_HORIZON = 1.0  # seconds: what may not leave within this is not reserved
NO_CHANNEL_DELAY = 5.0


async def commit_intents(
    database: Database,
    claim: Claim,
    run: Run,
    *,
    owner: str,
    wanted: int,
    deadline: float,
    draft: Draft,
) -> Intents:
    """Admit up to `wanted` jobs of a claim and write their attempts; durable when this returns.

    INVARIANT I4: the claim's row is locked and its token compared first, and cancel and pause
    bump the token, so no intent commits after them.
    """
    draft.attempt_ids.clear()  # what an earlier try wrote was rolled back
    async with transaction(database) as session:
        entered = await gate.enter(session, claim, owner=owner)
        if entered is None:
            return Intents(lost=True)
        channel, terms = entered.channel, entered.terms
        if channel is None:
            return Intents(retry_in=NO_CHANNEL_DELAY)
        if entered.room is not None and entered.room <= 0:
            return NO_ROOM
        most = grant(wanted, *_known(entered.room))
        picked = await jobs.pick_queued(session, claim, most)
        if not picked:
            return Intents(drained=True)
        run = replace(run, policy=terms.policy)
        admitted = await admit_picked(session, claim, run, rules_of(terms, channel), picked)
        pool = pool_of(channel, terms.time_zone, picked[0].now)
        new = await _new_attempts(session, channel, pool, admitted)
        draft.attempt_ids.extend(attempt.attempt_id for attempt in new)
        name_commit(session, "outbound.intents")
        if admitted and not new:
            return _no_number(pool)
        granted = await _grant(session, claim, run, channel, new, deadline, pool=pool)
        all_went = granted.count == len(admitted)
        return replace(granted, run=run, drained=all_went and _is_rest(claim, picked, most))


def _is_rest(claim: Claim, picked: Sequence[QueuedJob], most: int) -> bool:
    """Whether nothing of the claim is queued behind these, so that nobody need look."""
    return len(picked) < most or (claim.kind == "range" and picked[-1].seq == claim.last_seq)


async def _grant(
    session: AsyncSession,
    claim: Claim,
    run: Run,
    channel: Channel,
    new: Sequence[NewAttempt],
    deadline: float,
    *,
    pool: Pool | None,
) -> Intents:
    if run.channel == "voice":
        return await _grant_calls(session, claim, run, channel, new, deadline, pool=pool)
    return await _hand_over(session, claim, run, channel, new, deadline)


def _known(room: int | None) -> tuple[int, ...]:
    return () if room is None else (room,)


async def _new_attempts(
    session: AsyncSession, channel: Channel, pool: Pool | None, admitted: Sequence[QueuedJob]
) -> list[NewAttempt]:
    """An attempt for each job that a number of the channel has room for."""
    if pool is None:
        return [_new_attempt(j, channel.senders[j.seq % len(channel.senders)]) for j in admitted]
    numbers = await pool.numbers(session, admitted)
    paired = zip(admitted, numbers, strict=True)
    return [_new_attempt(job, number) for job, number in paired if number is not None]


def _new_attempt(job: QueuedJob, number: str) -> NewAttempt:
    return NewAttempt(
        attempt_id=new_id(ATTEMPT),
        call_id=new_id(CALL),
        seq=job.seq,
        contact_id=job.contact_id,
        from_number=number,
        to_number=job.address,
        traceparent=None,
    )


async def _grant_calls(
    session: AsyncSession,
    claim: Claim,
    run: Run,
    channel: Channel,
    new: Sequence[NewAttempt],
    deadline: float,
    *,
    pool: Pool | None,
) -> Intents:
    """Reserve what a call needs, in the order of the locks: numbers, room, and pace last."""
    won = await attempts.open_sends(session, channel, new) if new else set()
    await _defer_losers(session, claim, [a for a in new if a.attempt_id not in won])
    free = [a for a in new if a.attempt_id in won]
    room = await limits.lock_room(session, channel=channel, run_id=run.run_id)
    free_room = grant(len(free), *_known(room))
    fit = free[:free_room] if pool is None else await pool.fitting(session, free[:free_room])
    paced = await _reserve_pace(session, channel, run, len(fit))
    granted = [replace(a, traceparent=traceparent_for(run)) for a in fit[: paced.count]]
    kept = {a.attempt_id for a in granted}
    await attempts.close_sends(session, [a.attempt_id for a in free if a.attempt_id not in kept])
    if free_room > 0 and not fit:
        return _no_number(pool)
    if not granted:
        return _nothing(free, free_room, paced)
    frame = _frame(claim, run, channel, "intent", deadline)
    await _write(session, claim, frame, granted, channel=channel, state="sending")
    leaves_in = () if pool is None else await pool.spend(session, granted, paced)
    own = Intents(granted, channel, paced.first_in, paced.interval, count=len(granted))
    return replace(own, leaves_in=leaves_in)


def _no_number(pool: Pool | None) -> Intents:
    """No number of the pool may call now: until its pace allows, or until room is freed."""
    if pool is None or pool.retry_in is None:
        return NO_ROOM
    return Intents(retry_in=pool.retry_in)


def _nothing(free: Sequence[NewAttempt], room: int, paced: pace.Grant) -> Intents:
    """Why none of these goes now. A quick pace is asked for many at a time, well before its end."""
    if not free:
        return Intents()
    if room == 0:
        return NO_ROOM
    ahead = PACE_HORIZON / 2
    return Intents(retry_in=paced.first_in + (ahead if paced.interval < ahead else 0.0))


async def _reserve_pace(
    session: AsyncSession, channel: Channel, run: Run, wanted: int
) -> pace.Grant:
    """The slower of the account's pace and the run's own; a sender without a row has none.

    The run's is looked at first: what it cannot use of the account's, other runs would miss.
    """
    if wanted == 0:
        return pace.Grant(0, 0.0, 0.0)
    if run.policy.per_second is not None:
        outlook = await pace.look(session, [run.run_id])
        wanted = grant(wanted, *_known(outlook.within(PACE_HORIZON)))
        if wanted == 0:
            again_in = max(outlook.ends_in - PACE_HORIZON, 0.0)
            return pace.Grant(0, again_in, 1 / run.policy.per_second)
    account = await pace.reserve(session, channel.scope, wanted=wanted, horizon=PACE_HORIZON)
    if account.count == 0 or run.policy.per_second is None:
        return account
    own = await pace.reserve(session, run.run_id, wanted=account.count, horizon=PACE_HORIZON)
    return pace.Grant(
        own.count, max(account.first_in, own.first_in), max(account.interval, own.interval)
    )


async def _defer_losers(session: AsyncSession, claim: Claim, losers: Sequence[NewAttempt]) -> None:
    """Two requests between the same numbers at once could not be told apart when in doubt."""
    if not losers:
        return
    rows = await jobs.defer_by(session, claim.run_id, [a.seq for a in losers], "open_send", 5.0)
    await decisions.add(
        session,
        [decision(claim, seq, "deferred", "open_send", not_before=at) for seq, at in rows],
    )


async def _hand_over(
    session: AsyncSession,
    claim: Claim,
    run: Run,
    channel: Channel,
    new: Sequence[NewAttempt],
    deadline: float,
) -> Intents:
    """Give messages to messaging: the fact and the state commit together, so none is sent twice."""
    room = await limits.lock_room(session, channel=channel, run_id=run.run_id)
    count = grant(len(new), *_known(room))
    granted = [replace(a, traceparent=traceparent_for(run)) for a in new[:count]]
    if not granted:
        return NO_ROOM if new else Intents()
    frame = _frame(claim, run, channel, "accepted", deadline)
    await _write(session, claim, frame, granted, channel=channel, state="accepted")
    texts = await texts_for(session, run, [a.seq for a in granted])
    await outbox.add_all(session, [_message_due(run, channel, a, texts[a.seq]) for a in granted])
    return Intents(count=len(granted))


def _message_due(run: Run, channel: Channel, attempt: NewAttempt, words: str) -> Fact:
    event = RunMessageDue(
        run_id=run.run_id,
        seq=attempt.seq,
        attempt_id=attempt.attempt_id,
        channel_id=channel.channel_id,
        contact_id=attempt.contact_id,
        to=attempt.to_number,
        text=words,
    )
    return Fact(event, run.business_id, run.correlation_id, traceparent=attempt.traceparent)


def _frame(claim: Claim, run: Run, channel: Channel, state: str, deadline: float) -> IntentFrame:
    return IntentFrame(
        business_id=run.business_id,
        run_id=run.run_id,
        claim_id=claim.claim_id,
        channel_id=channel.channel_id,
        account=channel.account,
        correlation_id=run.correlation_id,
        state=state,
        deadline=deadline,
        lasts=run.policy.ring_timeout + run.policy.time_limit,
    )


async def _write(
    session: AsyncSession,
    claim: Claim,
    frame: IntentFrame,
    granted: Sequence[NewAttempt],
    *,
    channel: Channel,
    state: str,
) -> None:
    ids = {attempt.seq: attempt.attempt_id for attempt in granted}
    if channel.is_doubted:
        await channels.take_trial(session, channel.channel_id)
    await jobs.mark_sending(session, claim, ids, state=state)
    await intents.insert_attempts(session, frame, granted)
