"""How a run comes to life and to its end, always under its cursor's lock."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from itertools import groupby

from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_common.contracts.api import RunAudienceAdded, RunAudienceClosed, RunRequested
from trunkline_common.contracts.envelope import Envelope
from trunkline_common.contracts.outbound import RunCompleted, RunRejected, RunStarted
from trunkline_common.db import Database, outbox, transaction
from trunkline_common.db.outbox import Fact
from trunkline_common.db.retry import retried
from trunkline_common.db.transaction import name_commit, wake_after_commit
from trunkline_common.outcomes import Refuse
from trunkline_outbound.store import additions, audience, channels, forecasts, jobs
from trunkline_outbound.store import runs as store
from trunkline_outbound.store.audience import Chunk
from trunkline_outbound.store.runs import Run

log = logging.getLogger(__name__)

WORK = "outbound.work"  # rung when a claim may be had
ENDED = "outbound.ended"  # rung when a job or a claim has ended
CLOSED = frozenset({"cancelling", "cancelled", "completed", "failed"})

CHANNEL_SECONDS = 60.0  # how long after its request a run waits for news of its channel
CHANNEL_UNKNOWN = "channel_unknown"
FROZEN_AT_ONCE = 20  # stored chunks that one transaction turns into jobs
CLOSED_AT_ONCE = 5_000  # jobs of a rejected run that one transaction closes


async def request(session: AsyncSession, envelope: Envelope[RunRequested]) -> None:
    """Write a requested run down, and freeze what of its audience came before it."""
    run_id = envelope.event.run_id
    await audience.lock_audience(session, run_id)
    name_commit(session, "outbound.request")
    await store.insert_run(
        session,
        envelope.event,
        business_id=envelope.business_id,
        correlation_id=envelope.correlation_id,
        traceparent=envelope.traceparent,
    )
    await _freeze_stored(session, run_id, business_id=envelope.business_id)


async def add_audience(
    session: AsyncSession, envelopes: Sequence[Envelope[RunAudienceAdded]]
) -> None:
    """Turn chunks into jobs, those of one run together; before their run is known they are kept."""
    for run_id, of_run in groupby(envelopes, key=lambda envelope: envelope.event.run_id):
        await _add(session, run_id, list(of_run))


async def _add(
    session: AsyncSession, run_id: str, envelopes: Sequence[Envelope[RunAudienceAdded]]
) -> None:
    await audience.lock_audience(session, run_id)
    given = sorted(envelopes, key=lambda envelope: envelope.event.chunk)
    chunks = {e.event.chunk: Chunk(e.event.chunk, e.event.contacts) for e in given}
    cursor = await store.lock_cursor(session, run_id)
    run = await store.get_run(session, run_id)
    if cursor is None or run is None:  # it is still on its way; its arrival freezes what is here
        for e in given:
            kept = chunks[e.event.chunk]
            await audience.keep_chunk(session, run_id, kept, business_id=e.business_id)
        return
    for e in given:
        _check(run, e.business_id)
    mine = await audience.take_chunks(session, run_id, list(chunks), business_id=run.business_id)
    if run.state in CLOSED:
        return  # nobody is added to a run that is being cancelled, or is over
    new = [chunk for number, chunk in chunks.items() if number in mine]
    total = await _freeze(session, run, new, total=cursor.total)
    await _start_if_due(session, run, total=total)


def _check(run: Run, business_id: str) -> None:
    if run.business_id != business_id:
        raise Refuse(f"run {run.run_id} does not belong to business {business_id}")


async def close_audience(session: AsyncSession, envelope: Envelope[RunAudienceClosed]) -> None:
    """Note how many chunks there are; the run starts when the last has become jobs."""
    event = envelope.event
    await audience.lock_audience(session, event.run_id)
    await audience.keep_end(
        session, event.run_id, business_id=envelope.business_id, chunks=event.chunks
    )
    await _freeze_stored(session, event.run_id, business_id=envelope.business_id)


async def _freeze_stored(
    session: AsyncSession, run_id: str, *, business_id: str | None = None
) -> bool:
    """Freeze some of the chunks that came before their run, if it is known; whether that was all.

    The caller has locked the audience. Without a business it is the run's own.
    """
    cursor = await store.lock_cursor(session, run_id)
    run = await store.get_run(session, run_id)
    if cursor is None or run is None:
        return True  # the run itself is still on its way; its arrival freezes what is here
    _check(run, business_id or run.business_id)
    if run.state in CLOSED:
        await audience.drop_pending(session, run_id, business_id=run.business_id)
        return True  # nobody is added to a run that is being cancelled, or is over
    stored = await audience.pending_chunks(
        session, run_id, business_id=run.business_id, most=FROZEN_AT_ONCE
    )
    total = await _freeze(session, run, stored, total=cursor.total)
    if stored:
        await audience.mark_frozen(session, run_id, [chunk.number for chunk in stored])
    await _start_if_due(session, run, total=total)
    return len(stored) < FROZEN_AT_ONCE


async def _freeze(session: AsyncSession, run: Run, chunks: Sequence[Chunk], *, total: int) -> int:
    """Turn chunks into jobs behind the first `total`; the new total."""
    whose = run.business_id
    added = await audience.freeze(session, run.run_id, chunks, business_id=whose, total=total)
    if added:
        name_commit(session, "outbound.freeze")
        await store.grow(session, run.run_id, total + added)
    return total + added


async def _start_if_due(session: AsyncSession, run: Run, *, total: int) -> None:
    if run.state not in ("draft", "ready"):
        return
    if not await audience.is_complete(session, run.run_id, business_id=run.business_id):
        return
    if run.state == "draft":
        await store.set_state(session, run.run_id, "ready")
        await forecasts.want(session, run.run_id, business_id=run.business_id)
    if run.is_early or not await channels.is_known(
        session, run.channel_id, business_id=run.business_id
    ):
        return
    name_commit(session, "outbound.start")
    await store.set_state(session, run.run_id, "running")
    rejects = await audience.count_rejects(session, run.run_id)
    await outbox.add(
        session, _fact(run, RunStarted(run_id=run.run_id, total=total, rejects=rejects))
    )
    wake_after_commit(session, WORK)
    if total == 0:
        wake_after_commit(session, ENDED)


async def start_due_runs(database: Database) -> None:
    """Start runs whose time has come, or whose last hint was lost; freeze what is stored first."""
    async with transaction(database) as session:
        waiting = await audience.runs_not_started(session)
    for run_id in waiting:
        while not await _go_on(database, run_id):
            pass


async def _go_on(database: Database, run_id: str) -> bool:
    """Freeze some stored chunks of a run that has not begun, and start it if it may."""
    async with transaction(database) as session:
        await audience.lock_audience(session, run_id)
        cursor = await store.lock_cursor(session, run_id)
        if cursor is None or cursor.next_seq > 1:
            return True
        return await _freeze_stored(session, run_id)


async def reject_hopeless(database: Database) -> None:
    """End runs whose channel nobody told us of in time; nothing of them was sent."""
    async with transaction(database) as session:
        hopeless = await store.hopeless(session, seconds=CHANNEL_SECONDS)
    for run_id in hopeless:
        while await retried("reject", partial(_reject_some, database, run_id)):
            pass


async def _reject_some(database: Database, run_id: str) -> bool:
    """Close some jobs of a run that never started; whether there are more.

    INVARIANT: a cursor that has moved keeps the run from starting, also between two of these.
    """
    async with transaction(database) as session:
        cursor = await store.lock_cursor(session, run_id)
        run = await store.get_run(session, run_id)
        if cursor is None or run is None or run.state != "ready":
            return False
        known = await channels.is_known(session, run.channel_id, business_id=run.business_id)
        if known and cursor.next_seq == 1:
            return False
        last = min(cursor.next_seq + CLOSED_AT_ONCE - 1, cursor.total)
        await jobs.cancel_range(session, run_id, (cursor.next_seq, last), reason=CHANNEL_UNKNOWN)
        await store.advance(session, run_id, last + 1)
        if last < cursor.total:
            return True
        await store.set_state(session, run_id, "failed", reason=CHANNEL_UNKNOWN)
        await outbox.add(session, _fact(run, RunRejected(run_id=run_id, reason=CHANNEL_UNKNOWN)))
        log.error("run.rejected", extra={"run_id": run_id, "reason": CHANNEL_UNKNOWN})
        return False


async def complete_finished(database: Database) -> int:
    """Complete every run that has nothing left to do; how many were completed."""
    async with transaction(database) as session:
        candidates = await store.completable(session)
    completed = 0
    for run_id in candidates:
        async with transaction(database) as session:
            completed += await _complete(session, run_id)
    return completed


async def _complete(session: AsyncSession, run_id: str) -> bool:
    """Complete one run in a transaction that holds its cursor, everything read again under it."""
    cursor = await store.lock_cursor(session, run_id)
    run = await store.get_run(session, run_id)
    if cursor is None or run is None or run.state not in ("running", "paused"):
        return False
    if cursor.next_seq <= cursor.total or await additions.any_open(session, run_id):
        return False
    if await store.has_open_work(session, run_id):
        return False
    name_commit(session, "outbound.complete")
    await store.set_state(session, run_id, "completed")
    states, outcomes = await jobs.count_states(session, run_id)
    event = RunCompleted(
        run_id=run_id,
        version=await store.next_version(session, run_id),
        total=cursor.total,
        states=states,
        outcomes=outcomes,
    )
    await outbox.add(session, _fact(run, event))
    return True


def _fact(run: Run, event: RunStarted | RunCompleted | RunRejected) -> Fact:
    return Fact(event, run.business_id, run.correlation_id, traceparent=run.traceparent)
