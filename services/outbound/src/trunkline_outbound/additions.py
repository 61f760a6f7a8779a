"""Contacts added to a run that goes on: jobs behind the last one, under the cursor's lock.

INVARIANT: the first piece of an addition either opens it, and the run does not complete before it
is whole, or finds the run closed, and none of it becomes jobs. Both are decided under the cursor's
lock, so of an addition and the run's end one comes first, and the other sees it.
"""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_common.contracts.envelope import Envelope
from trunkline_common.contracts.runs import RunAdditionEnded, RunContactsAdded
from trunkline_common.db import outbox
from trunkline_common.db.outbox import Fact
from trunkline_common.db.transaction import wake_after_commit
from trunkline_common.outcomes import Refuse, TryLater
from trunkline_outbound.runs import CLOSED, ENDED, WORK
from trunkline_outbound.store import additions as store
from trunkline_outbound.store import audience, runs
from trunkline_outbound.store.audience import Chunk


async def add(session: AsyncSession, envelope: Envelope[RunContactsAdded]) -> None:
    """Turn a piece into jobs, once; whoever is in the run already is a reject."""
    event = envelope.event
    await audience.lock_audience(session, event.run_id)
    cursor = await runs.lock_cursor(session, event.run_id)
    run = await runs.get_run(session, event.run_id)
    if cursor is None or run is None:
        raise TryLater(f"run {event.run_id} is not known yet")
    if run.business_id != envelope.business_id:
        raise Refuse(f"run {event.run_id} does not belong to business {envelope.business_id}")
    addition = await store.open_one(
        session, event.control_id, run.run_id, business_id=run.business_id
    )
    if not addition.is_open:
        return  # whole, or refused: this piece comes again, or too late
    if run.state in CLOSED:
        await _end(session, envelope, total=cursor.total, refused=f"the run is {run.state}")
        return
    if not await store.take_piece(session, addition, event.piece):
        return
    added = await _freeze(session, envelope, total=cursor.total)
    rejects = len(event.contacts) - added
    is_whole = await store.count(
        session, event.control_id, added=added, rejects=rejects, pieces=event.pieces
    )
    wake_after_commit(session, WORK)
    if is_whole:
        await _end(session, envelope, total=cursor.total + added)


async def _freeze(
    session: AsyncSession, envelope: Envelope[RunContactsAdded], *, total: int
) -> int:
    event = envelope.event
    if not event.contacts:
        return 0
    chunk = Chunk(await store.next_chunk(session, event.run_id), event.contacts)
    whose = envelope.business_id
    await audience.take_chunks(session, event.run_id, [chunk.number], business_id=whose)
    added = await audience.freeze(session, event.run_id, [chunk], business_id=whose, total=total)
    if added:
        await runs.grow(session, event.run_id, total + added)
    return added


async def _end(
    session: AsyncSession,
    envelope: Envelope[RunContactsAdded],
    *,
    total: int,
    refused: str | None = None,
) -> None:
    control_id = envelope.event.control_id
    await store.end(session, control_id)
    addition = await store.get(session, control_id)
    event = RunAdditionEnded(
        run_id=addition.run_id,
        control_id=control_id,
        added=addition.added,
        rejects=addition.rejects,
        total=total,
        refused=refused,
    )
    fact = Fact(event, envelope.business_id, envelope.correlation_id, causation_id=envelope.id)
    await outbox.add(session, fact)
    wake_after_commit(session, ENDED)  # it kept the run from completing
