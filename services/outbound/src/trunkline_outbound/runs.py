"""How a run comes to life and to its end, always under its cursor's lock."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_common.contracts.api import RunAudienceAdded, RunAudienceClosed, RunRequested
from trunkline_common.contracts.envelope import Envelope
from trunkline_common.contracts.outbound import RunCompleted, RunStarted
from trunkline_common.db import Database, outbox, transaction
from trunkline_common.db.outbox import Fact
from trunkline_common.db.transaction import wake_after_commit
from trunkline_common.outcomes import Refuse
from trunkline_outbound.store import audience, jobs
from trunkline_outbound.store import runs as store
from trunkline_outbound.store.runs import Run

WORK = "outbound.work"  # rung when a claim may be had
ENDED = "outbound.ended"  # rung when a job or a claim has ended


async def request(session: AsyncSession, envelope: Envelope[RunRequested]) -> None:
    """Write a requested run down, and freeze what of its audience came before it."""
    run_id = envelope.event.run_id
    await audience.lock_audience(session, run_id)
    await store.insert_run(
        session,
        envelope.event,
        business_id=envelope.business_id,
        correlation_id=envelope.correlation_id,
        traceparent=envelope.traceparent,
    )
    await _freeze_pending(session, run_id, business_id=envelope.business_id)


async def add_audience(session: AsyncSession, envelope: Envelope[RunAudienceAdded]) -> None:
    """Keep one chunk, and freeze it at once if the run is known."""
    await audience.lock_audience(session, envelope.event.run_id)
    await audience.keep_chunk(session, envelope.event, business_id=envelope.business_id)
    await _freeze_pending(session, envelope.event.run_id, business_id=envelope.business_id)


async def close_audience(session: AsyncSession, envelope: Envelope[RunAudienceClosed]) -> None:
    """Note how many chunks there are; the run starts when the last has become jobs."""
    event = envelope.event
    await audience.lock_audience(session, event.run_id)
    await audience.keep_end(
        session, event.run_id, business_id=envelope.business_id, chunks=event.chunks
    )
    await _freeze_pending(session, event.run_id, business_id=envelope.business_id)


async def _freeze_pending(session: AsyncSession, run_id: str, *, business_id: str) -> None:
    cursor = await store.lock_cursor(session, run_id)
    run = await store.get_run(session, run_id)
    if cursor is None or run is None:
        return  # the run itself is still on its way; its arrival freezes what is here
    if run.business_id != business_id:
        raise Refuse(f"run {run_id} does not belong to business {business_id}")
    total = cursor.total
    for chunk in await audience.pending_chunks(session, run_id, business_id=business_id):
        total += await audience.freeze_chunk(
            session, run_id, chunk, business_id=business_id, total=total
        )
    if total != cursor.total:
        await store.grow(session, run_id, total)
    await _start_if_due(session, run, total=total)


async def _start_if_due(session: AsyncSession, run: Run, *, total: int) -> None:
    if run.state not in ("draft", "ready"):
        return
    if not await audience.is_complete(session, run.run_id, business_id=run.business_id):
        return
    if run.state == "draft":
        await store.set_state(session, run.run_id, "ready")
    if run.is_early:
        return
    await store.set_state(session, run.run_id, "running")
    rejects = await audience.count_rejects(session, run.run_id)
    await outbox.add(
        session, _fact(run, RunStarted(run_id=run.run_id, total=total, rejects=rejects))
    )
    wake_after_commit(session, WORK)
    if total == 0:
        wake_after_commit(session, ENDED)


async def start_due_runs(database: Database) -> None:
    """Start runs whose time has come, and those whose last hint was lost."""
    async with transaction(database) as session:
        waiting = await audience.runs_not_started(session)
    for run_id in waiting:
        async with transaction(database) as session:
            cursor = await store.lock_cursor(session, run_id)
            run = await store.get_run(session, run_id)
            if cursor is not None and run is not None:
                await _start_if_due(session, run, total=cursor.total)


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
    if cursor.next_seq <= cursor.total or await store.has_open_work(session, run_id):
        return False
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


def _fact(run: Run, event: RunStarted | RunCompleted) -> Fact:
    return Fact(event, run.business_id, run.correlation_id, traceparent=run.traceparent)
