"""Who works on what: the one gate through which claims are handed out and taken over."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_common.db import Database, pace, transaction
from trunkline_common.db.transaction import name_commit
from trunkline_outbound.admitted import NO_ROOM_DELAY
from trunkline_outbound.domain.fairness import claim_size
from trunkline_outbound.intents import NO_CHANNEL_DELAY, PACE_HORIZON
from trunkline_outbound.store import attempts, channels, decisions, jobs, limits, runs
from trunkline_outbound.store import claims as store
from trunkline_outbound.store.claims import Claim, Lease
from trunkline_outbound.store.decisions import Decision
from trunkline_outbound.store.runs import Cursor, Run

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class NotNow:
    """A run that has work and may not send: ask again in so many seconds, or once WORK is rung."""

    retry_in: float
    until_rung: bool = False


async def next_claim(
    database: Database, run_id: str, *, lease: Lease, wanted: int
) -> Claim | NotNow | None:
    """Hand out work of this run: a lost worker's first, then retries, then first passes.

    At most `wanted` jobs, and no more than can be sent within half a lease.
    INVARIANT: the cursor's lock is held and the run read again under it, so no claim is handed
    out behind a cancel or a pause, whichever commits first.
    """
    async with transaction(database) as session:
        cursor = await runs.lock_cursor(session, run_id)
        run = await runs.get_run(session, run_id)
        if cursor is None or run is None or run.state != "running":
            return None
        lost = await store.lock_lost(session, run_id)
        if lost is not None:
            return await take_over(session, lost, lease)
        size = await _size(session, run, most=wanted, seconds=lease.seconds / 2)
        if isinstance(size, NotNow):
            return size
        return await _hand_out(session, run, cursor, lease, size)


async def _size(session: AsyncSession, run: Run, *, most: int, seconds: float) -> int | NotNow:
    """How many jobs can be sent in these seconds, at the pace and in the room of now."""
    channel = await channels.get_channel(session, run.channel_id, business_id=run.business_id)
    if channel is None:
        return NotNow(NO_CHANNEL_DELAY)
    room = await limits.room(session, channel=channel, run_id=run.run_id)
    senders = [channel.scope, run.run_id] if run.channel == "voice" else []
    outlook = await pace.look(session, senders)
    size = claim_size(most=most, per_second=outlook.per_second, seconds=seconds, room=room)
    if size == 0:
        return NotNow(NO_ROOM_DELAY, until_rung=True)
    if outlook.ends_in > PACE_HORIZON:
        return NotNow(outlook.ends_in - PACE_HORIZON)
    return size


async def _hand_out(
    session: AsyncSession, run: Run, cursor: Cursor, lease: Lease, size: int
) -> Claim | None:
    run_id = run.run_id
    released = await store.lock_released(session, run_id, kind="due")
    if released is not None:
        return await take_over(session, released, lease)
    if await store.has_due(session, run_id):
        name_commit(session, "outbound.due_claim")
        return await store.insert_due(session, run_id, run.business_id, wanted=size, lease=lease)
    released = await store.lock_released(session, run_id, kind="range")
    if released is not None:
        return await take_over(session, released, lease)
    if cursor.next_seq > cursor.total:
        return None
    last = min(cursor.next_seq + size - 1, cursor.total)
    await runs.advance(session, run_id, last + 1)
    span = (cursor.next_seq, last)
    name_commit(session, "outbound.carve")
    return await store.insert_range(session, run_id, run.business_id, span=span, lease=lease)


async def take_over(session: AsyncSession, claim: Claim, lease: Lease) -> Claim:
    """Take a claim that was let go of, or whose owner's lease has run out.

    INVARIANT: what that owner was sending becomes in doubt, whoever finds it; only what is still
    queued is sent.
    """
    name_commit(session, "outbound.take_over")
    taken = await store.take_over(session, claim.claim_id, lease)
    doubted = await jobs.doubt_sending(session, claim)
    await attempts.settle(
        session,
        [(attempt_id, "in_doubt", None, "worker_lost") for _, attempt_id in doubted],
        run_ids=[claim.run_id],
        said_by="take_over",
    )
    await decisions.add(
        session,
        [
            Decision(claim.business_id, claim.run_id, seq, "in_doubt", "worker_lost", attempt_id)
            for seq, attempt_id in doubted
        ],
    )
    log.log(
        logging.WARNING if doubted else logging.INFO,
        "claim.taken_over",
        extra={
            "claim": claim.claim_id,
            "run_id": claim.run_id,
            "token": taken.token,
            "in_doubt": len(doubted),
        },
    )
    return taken


async def doubt_stranded(database: Database, *, lease: float) -> None:
    """In runs that are not running: doubt what lost workers were sending, close what is empty.

    The claim is left without an owner, so nobody holds a token that an intent would accept.
    """
    async with transaction(database) as session:
        stranded = await store.stranded_runs(session)
    for run_id in stranded:
        async with transaction(database) as session:
            await runs.lock_cursor(session, run_id)
            run = await runs.get_run(session, run_id)
            expired = await store.lock_expired(session, run_id)
            if run is None or run.state == "running" or expired is None:
                continue
            taken = await take_over(session, expired, Lease(None, lease))
            await store.close(session, taken, owner=None)
