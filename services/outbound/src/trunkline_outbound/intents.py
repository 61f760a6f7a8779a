"""The right to send, written down before the first byte: one short transaction a micro-batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_common.contracts.outbound import RunMessageDue
from trunkline_common.db import Database, outbox, pace, transaction
from trunkline_common.db.outbox import Fact
from trunkline_common.db.transaction import wake_after_commit
from trunkline_common.ids import ATTEMPT, CALL, new_id
from trunkline_outbound.domain.admission import JobFacts, NotBefore, SendNow, Skip, admit, grant
from trunkline_outbound.runs import ENDED
from trunkline_outbound.store import attempts, channels, claims, decisions, jobs, limits
from trunkline_outbound.store.attempts import IntentFrame, NewAttempt
from trunkline_outbound.store.channels import Channel
from trunkline_outbound.store.claims import Claim
from trunkline_outbound.store.decisions import Decision
from trunkline_outbound.store.jobs import QueuedJob
from trunkline_outbound.store.runs import Run
from trunkline_outbound.tracing import traceparent_for

PACE_HORIZON = 1.0  # seconds: what may not leave within this is not reserved
NO_ROOM_DELAY = 1.0
NO_CHANNEL_DELAY = 5.0


@dataclass(frozen=True, slots=True)
class Intents:
    """What one transaction admitted.

    `granted[i]` may leave `first_in + i * interval` seconds from now. `lost`: the claim is not
    ours any more. `drained`: nothing of it is queued. `retry_in`: seconds until there may be room.
    """

    granted: Sequence[NewAttempt] = ()
    channel: Channel | None = None
    first_in: float = 0.0
    interval: float = 0.0
    lost: bool = False
    drained: bool = False
    retry_in: float = 0.0


@dataclass(slots=True)
class Draft:
    """Attempt ids of a transaction under way, so that a commit without an answer can be settled."""

    attempt_ids: list[str] = field(default_factory=list)


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
    async with transaction(database) as session:
        if not await claims.lock_own(session, claim, owner=owner):
            return Intents(lost=True)
        channel = await channels.get_channel(session, run.channel_id, business_id=run.business_id)
        if channel is None:
            return Intents(retry_in=NO_CHANNEL_DELAY)
        room = await limits.room(session, account=channel.account, run_id=run.run_id)
        if room is not None and room <= 0:
            return Intents(retry_in=NO_ROOM_DELAY)
        picked = await jobs.pick_queued(session, claim, grant(wanted, *_known(room)))
        if not picked:
            return Intents(drained=True)
        admitted = await _admit(session, claim, channel, picked)
        new = [_new_attempt(job, channel) for job in admitted]
        draft.attempt_ids.extend(attempt.attempt_id for attempt in new)
        if run.channel == "voice":
            return await _grant_calls(session, claim, run, channel, new, deadline)
        return await _hand_over(session, claim, run, channel, new, deadline)


def _known(room: int | None) -> tuple[int, ...]:
    return () if room is None else (room,)


async def _admit(
    session: AsyncSession, claim: Claim, channel: Channel, picked: Sequence[QueuedJob]
) -> list[QueuedJob]:
    admitted, later, skipped, log = [], [], [], []
    for job in picked:
        facts = JobFacts(job.seq, job.address, job.attempts)
        match admit(facts, channel_enabled=channel.enabled, now=job.now):
            case SendNow():
                admitted.append(job)
            case NotBefore(at, rule):
                later.append((job.seq, at, rule))
                log.append(_decision(claim, job.seq, "deferred", rule, not_before=at))
            case Skip(rule):
                skipped.append((job.seq, rule))
                log.append(_decision(claim, job.seq, "skipped", rule))
    await jobs.defer(session, claim.run_id, later)
    await jobs.skip(session, claim.run_id, skipped)
    await decisions.add(session, log)
    if skipped:
        wake_after_commit(session, ENDED)
    return admitted


def _decision(
    claim: Claim, seq: int, decision: str, rule: str, not_before: datetime | None = None
) -> Decision:
    return Decision(claim.business_id, claim.run_id, seq, decision, rule, not_before=not_before)


def _new_attempt(job: QueuedJob, channel: Channel) -> NewAttempt:
    return NewAttempt(
        attempt_id=new_id(ATTEMPT),
        call_id=new_id(CALL),
        seq=job.seq,
        contact_id=job.contact_id,
        from_number=channel.senders[job.seq % len(channel.senders)],
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
) -> Intents:
    """Reserve what a call needs, in the order of the locks: numbers, room, and pace last."""
    won = await attempts.open_sends(session, channel.account, new) if new else set()
    await _defer_losers(session, claim, [a for a in new if a.attempt_id not in won])
    free = [a for a in new if a.attempt_id in won]
    room = await limits.lock_room(session, account=channel.account, run_id=run.run_id)
    free_room = grant(len(free), *_known(room))
    paced = await _reserve_pace(session, channel, run, free_room)
    granted = [replace(a, traceparent=traceparent_for(run)) for a in free[: paced.count]]
    await attempts.close_sends(session, [a.attempt_id for a in free[paced.count :]])
    if not granted:
        return Intents(retry_in=paced.first_in if free else 0.0)
    frame = _frame(claim, run, channel, "intent", deadline)
    await _write(session, claim, frame, granted, state="sending")
    return Intents(granted, channel, paced.first_in, paced.interval)


async def _reserve_pace(
    session: AsyncSession, channel: Channel, run: Run, wanted: int
) -> pace.Grant:
    """The slower of the account's pace and the run's own; a sender without a row has none."""
    if wanted == 0:
        return pace.Grant(0, NO_ROOM_DELAY, 0.0)
    account = await pace.reserve(session, channel.account, wanted=wanted, horizon=PACE_HORIZON)
    if account.count == 0:
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
        session, [_decision(claim, seq, "deferred", "open_send", at) for seq, at in rows]
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
    room = await limits.lock_room(session, account=channel.account, run_id=run.run_id)
    count = grant(len(new), *_known(room))
    granted = [replace(a, traceparent=traceparent_for(run)) for a in new[:count]]
    if not granted:
        return Intents(retry_in=NO_ROOM_DELAY if new else 0.0)
    frame = _frame(claim, run, channel, "accepted", deadline)
    await _write(session, claim, frame, granted, state="accepted")
    await outbox.add_all(session, [_message_due(run, channel, a) for a in granted])
    return Intents(retry_in=0.0)


def _message_due(run: Run, channel: Channel, attempt: NewAttempt) -> Fact:
    event = RunMessageDue(
        run_id=run.run_id,
        seq=attempt.seq,
        attempt_id=attempt.attempt_id,
        channel_id=channel.channel_id,
        contact_id=attempt.contact_id,
        to=attempt.to_number,
        text=run.content.text or "",
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
    )


async def _write(
    session: AsyncSession,
    claim: Claim,
    frame: IntentFrame,
    granted: Sequence[NewAttempt],
    *,
    state: str,
) -> None:
    ids = {attempt.seq: attempt.attempt_id for attempt in granted}
    await limits.take(session, list(ids.values()), account=frame.account, run_id=frame.run_id)
    await jobs.mark_sending(session, claim, ids, state=state)
    await attempts.insert_attempts(session, frame, granted)
