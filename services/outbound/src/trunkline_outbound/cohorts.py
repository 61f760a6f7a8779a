"""Months of runs are made before they come, and dropped when all their runs are past retention.

Nothing here is in the way of a call: locks are waited for only half a second, then tried again.
"""

from __future__ import annotations

import logging
from typing import Final

from prometheus_client import Gauge

from trunkline_common.db import Database, transaction
from trunkline_common.db.transaction import name_commit
from trunkline_outbound.domain.cohorts import is_past, months
from trunkline_outbound.store import cohorts as store
from trunkline_outbound.store.cohorts import Partition

log = logging.getLogger(__name__)

AHEAD: Final = 3
BATCH: Final = 2_000
RUNS_AT_ONCE: Final = 50
COUNTED: Final = 10_000
ANALYZED_FROM: Final = 5_000  # new rows of a month, and at least this share of it
ANALYZED_SHARE: Final = 0.2

REST = Gauge(
    "trunkline_default_partition_rows", "Rows that no month has, counted to 10,000", ["table"]
)


async def keep_cohorts(database: Database, *, keep_days: int) -> bool:
    """Make the months to come, and drop the oldest that is past; whether one was dropped."""
    await make_months(database)
    await watch_rest(database)
    return await drop_past(database, keep_days=keep_days)


async def make_months(database: Database) -> None:
    """Make this month and the next, each table in a transaction of its own."""
    async with transaction(database) as session:
        wanted = months(await store.now(session), ahead=AHEAD)
        known = {(part.whole, part.upper_id) for part in await store.known(session)}
    for month in wanted:
        for whole in store.PARTITIONED:
            if (whole, month.upper_id) not in known:
                async with transaction(database) as session:
                    name_commit(session, "outbound.make_partition")
                    await store.make(session, whole, month)
                log.info("cohort.made", extra={"table": whole, "month": month.name})


async def keep_statistics(database: Database) -> int:
    """Analyse the months that have filled since they were last; how many.

    Autovacuum would, but looks once a minute, and a claim planned without statistics reads the
    whole of its run.
    """
    async with transaction(database) as session:
        name_commit(session, "outbound.analyze")
        return await store.analyze(session, fewest=ANALYZED_FROM, share=ANALYZED_SHARE)


async def watch_rest(database: Database) -> None:
    """Count what lies in no month: it works as well, and is never dropped."""
    for whole in store.PARTITIONED:
        async with transaction(database) as session:
            rows = await store.count_rest(session, whole, most=COUNTED)
        REST.labels(whole).set(rows)
        if rows:
            log.warning("cohort.rest_in_use", extra={"table": whole, "rows": rows})


async def drop_past(database: Database, *, keep_days: int) -> bool:
    """Drop the oldest month whose runs are all past retention; whether there was one.

    INVARIANT: what is found by the rows of a month goes before them, so that a drop that was
    broken off anywhere is taken up again.
    """
    async with transaction(database) as session:
        moment = await store.now(session)
        old = [
            part
            for part in await store.known(session)
            if is_past(part.upper_id, now=moment, keep_days=keep_days)
        ]
        used = {p.upper_id for p in old if await store.is_in_use(session, p, keep_days=keep_days)}
    past = [part for part in old if part.upper_id not in used]
    if not past:
        return False
    month = [part for part in past if part.upper_id == past[0].upper_id]
    await _forget(database, month[0])
    for part in month:
        async with transaction(database) as session:
            name_commit(session, "outbound.drop_partition")
            dropped = await store.drop(session, part, keep_days=keep_days)
        if not dropped:
            return False
        log.info("cohort.dropped", extra={"table": part.whole, "month": part.name})
    return True


async def _forget(database: Database, part: Partition) -> None:
    """Delete what a month's runs have in other tables, a bounded number of rows at a time."""
    after = ""
    while True:
        async with transaction(database) as session:
            attempts = await store.attempts_after(session, part, after, batch=BATCH)
            name_commit(session, "outbound.forget_attempts")
            await store.forget_attempts(session, part, attempts)
        if not attempts:
            break
        after = attempts[-1]
    while True:
        async with transaction(database) as session:
            run_ids = await store.some_runs(session, part, batch=RUNS_AT_ONCE)
            name_commit(session, "outbound.forget_runs")
            if not await store.forget_of_runs(session, run_ids, batch=BATCH):
                await store.forget_runs(session, run_ids)
        if not run_ids:
            return
