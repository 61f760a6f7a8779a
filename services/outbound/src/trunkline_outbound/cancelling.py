"""The end of a cancelled run: its jobs closed in chunks, then the run itself."""

from __future__ import annotations

import logging
from functools import partial

from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_common.contracts.outbound import RunCancelled, RunFailed
from trunkline_common.db import Database, outbox, transaction
from trunkline_common.db.outbox import Fact
from trunkline_common.db.retry import retried
from trunkline_common.db.transaction import name_commit
from trunkline_outbound.late_additions import let_go
from trunkline_outbound.store import controls as store
from trunkline_outbound.store import jobs, runs
from trunkline_outbound.store.controls import Standing

log = logging.getLogger(__name__)

CHUNK = 5_000
CHUNKS_AT_ONCE = 20  # of one run, before it is the next one's turn


async def finish_cancelled(database: Database, *, chunk: int = CHUNK) -> bool:
    """Close some of what cancelled runs will not send, and end those with nothing in flight.

    Whether there is more to close: every run gets its share of a tick, however large another is.
    """
    async with transaction(database) as session:
        cancelling = await store.cancelling_runs(session)
    more = False
    for run_id in cancelling:
        try:
            more |= await retried("cancelling", partial(_go_on, database, run_id, chunk))
        except Exception:  # the others must not wait for this one
            log.exception("run.not_ended", extra={"run_id": run_id})
    return more


async def _go_on(database: Database, run_id: str, chunk: int) -> bool:
    for _ in range(CHUNKS_AT_ONCE):
        if not await _closed_some(database, run_id, chunk):
            async with transaction(database) as session:
                await _end(session, run_id)
            return False
    return True


async def _closed_some(database: Database, run_id: str, chunk: int) -> bool:
    """Close one chunk; whether there may be more.

    A first pass goes over all numbers once. What comes back later (a refusal that said "later") is
    `waiting`, and has an index of its own.
    """
    async with transaction(database) as session:
        run = await store.standing(session, run_id)
        if run is None or run.state != "cancelling":
            return False
        if run.stop_seq is None:
            return await store.close_waiting(session, run_id, batch=chunk) == chunk
        name_commit(session, "outbound.close_jobs")
        closed = await store.close_jobs(session, run_id, after=run.stop_seq, batch=chunk)
        if len(closed) == chunk:
            await store.stopped_up_to(session, run_id, max(closed))
            return True
        await store.all_stopped(session, run_id)
        return False


async def _end(session: AsyncSession, run_id: str) -> bool:
    """End one run in a transaction that holds its cursor, everything read again under it."""
    cursor = await runs.lock_cursor(session, run_id)
    run = await store.standing(session, run_id)
    if cursor is None or run is None or run.state != "cancelling" or run.stop_seq is not None:
        return False
    await store.close_claims(session, run_id)
    if await runs.has_open_work(session, run_id):
        return False
    name_commit(session, "outbound.end_cancelled")
    await let_go(session, run_id, refused=f"the run is {run.ends_as}")
    version = await store.end(session, run_id)
    counts = await jobs.count_states(session, run_id)
    await outbox.add(session, _over(run, cursor.total, version, counts))
    return True


def _over(
    run: Standing, total: int, version: int, counts: tuple[dict[str, int], dict[str, int]]
) -> Fact:
    states, outcomes = counts
    kind = RunFailed if run.ends_as == "failed" else RunCancelled
    event = kind(
        run_id=run.run_id,
        version=version,
        total=total,
        states=states,
        outcomes=outcomes,
        reason=run.reason,
    )
    return Fact(event, run.business_id, run.correlation_id, traceparent=run.traceparent)
