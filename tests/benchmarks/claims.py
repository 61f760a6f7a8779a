"""What a claim costs however many jobs are queued, beside SKIP LOCKED over an index of states.

    python -m tests.benchmarks.claims --sizes 10000,1000000,5000000 --claims 80

Autovacuum is off everywhere. A fifth of each queue is done before anything is measured. Its rows
are kept by another session's old snapshot first, and vacuumed away in the other condition, in which
the same queue is looked at again. Pages are what the server touched for jobs, claims and cursors:
they do not depend on what else runs here.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import asyncpg
from sqlalchemy import text
from tests.benchmarks.costs import Cost, table_of
from tests.benchmarks.report import conditions, write
from tests.benchmarks.stage import Stage, add_run, servers, start

from trunkline_common.db import Database, open_database, transaction
from trunkline_outbound.app import SERVICE
from trunkline_outbound.claims import next_claim
from trunkline_outbound.store import claims as store
from trunkline_outbound.store.claims import Claim, Lease

SIZE = 20  # jobs of a claim: all kinds fit into the smallest queue
LEASE = Lease("benchmark", 3600.0)
NAIVE_MOST = 1_000_000  # beyond, only claims are measured: what they are compared with is known
WAIT_MOST = 500_000  # jobs that wait for another day
UNSEEN = 200_000  # jobs of a run that nobody has analysed
_SECONDS = 1200.0
_QUIET = """
SELECT format('ALTER TABLE %s SET (autovacuum_enabled = off)', CAST(oid AS regclass)) AS order
  FROM pg_class WHERE relkind = 'r' AND relnamespace = CAST('outbound' AS regnamespace)
"""
_NAIVE = """
DROP TABLE IF EXISTS outbound.naive;
CREATE TABLE outbound.naive (seq bigint PRIMARY KEY, address text, state text, owner text)
    WITH (autovacuum_enabled = off);
GRANT ALL ON outbound.naive TO PUBLIC;
INSERT INTO outbound.naive SELECT seq, address, 'queued', NULL FROM outbound.jobs WHERE seq <= %d;
CREATE INDEX naive_queue ON outbound.naive (seq) WHERE state = 'queued';
ANALYZE outbound.naive;
"""
_CLAIM_NAIVE = text(
    """
UPDATE naive SET state = 'sending', owner = 'benchmark' WHERE seq IN (
    SELECT seq FROM naive WHERE state = 'queued' ORDER BY seq LIMIT :wanted
       FOR UPDATE SKIP LOCKED)
"""
)
# A fifth is done; so many jobs after it wait, and are due.
_DONE = """
UPDATE outbound.jobs SET state = 'done', reason = 'completed' WHERE run_id = $1 AND seq <= $2
"""
_WAITING = """
UPDATE outbound.jobs SET state = 'waiting', due_at = clock_timestamp(), reason = 'busy'
 WHERE run_id = $1 AND seq > $2 AND seq <= $3
"""
_NOT_DUE = "UPDATE outbound.jobs SET due_at = 'infinity' WHERE run_id = $1 AND state = 'waiting'"
_ALL_WAIT = """
UPDATE outbound.jobs SET state = 'waiting', due_at = 'infinity', reason = 'out_of_window'
 WHERE run_id = $1 AND state = 'queued' AND claim_id IS NULL AND seq > $2 / 2 AND seq <= $2 / 2 + $3
"""
_AFTER = "SELECT next_seq - 1 FROM outbound.cursors WHERE run_id = $1"
_CLOSE = "UPDATE outbound.claims SET closed_at = clock_timestamp(), owner = NULL"
_CURSOR = "UPDATE outbound.cursors SET next_seq = $2 WHERE run_id = $1"
_EXPIRE = "UPDATE outbound.claims SET expires_at = clock_timestamp() WHERE closed_at IS NULL"
_FLUSH = "SELECT pg_stat_force_next_flush()"
_PAGES = """
SELECT sum(heap_blks_hit + heap_blks_read + idx_blks_hit + idx_blks_read)
  FROM pg_statio_all_tables WHERE schemaname = 'outbound' AND relname ~ $1
"""
OURS = "^(jobs|claims|cursors)"


@dataclass(frozen=True, slots=True)
class Desk:
    """One run of so many jobs, and who claims of it."""

    connection: Any
    database: Database
    run_id: str
    queued: int
    claims: int

    @property
    def has_naive(self) -> bool:
        return self.queued <= NAIVE_MOST

    async def one(self) -> None:
        """A claim as a dispatcher takes it."""
        taken = await next_claim(self.database, self.run_id, lease=LEASE, wanted=SIZE)
        assert isinstance(taken, Claim), taken

    async def due(self) -> None:
        """The question before a claim, while everybody waits for another day."""
        async with transaction(self.database) as session:
            assert not await store.has_due(session, self.run_id)

    async def naive(self) -> None:
        async with transaction(self.database) as session:
            await session.execute(_CLAIM_NAIVE, {"wanted": SIZE})

    async def pages(self, tables: str) -> int:
        """What was touched so far; every session tells what it has kept to itself first."""
        await self.connection.execute(_FLUSH)
        async with transaction(self.database) as session:
            await session.execute(text(_FLUSH))
        return int(await self.connection.fetchval(_PAGES, tables))

    async def cost(
        self, condition: str, kind: str, act: Callable[[], Awaitable[None]], tables: str = OURS
    ) -> Cost:
        """So many of them, one after the other."""
        await act()  # whatever is prepared once is not what is measured
        before, times = await self.pages(tables), []
        for _ in range(self.claims):
            began = time.perf_counter()
            await act()
            times.append(1000 * (time.perf_counter() - began))
        pages = (await self.pages(tables) - before) / self.claims
        p99 = quantiles(times, n=100)[98]
        return Cost(self.queued, condition, kind, median(times), p99, pages)


async def _prepare(desk: Desk) -> None:
    """A fifth is done in both tables, and enough jobs after it wait."""
    done = desk.queued // 5
    if desk.has_naive:
        await desk.connection.execute(_NAIVE % desk.queued)
        naive = "UPDATE outbound.naive SET state = 'done' WHERE seq <= $1"
        await desk.connection.execute(naive, done)
    await desk.connection.execute(_DONE, desk.run_id, done)
    await _wait(desk, done)


async def _wait(desk: Desk, after: int) -> None:
    """The next jobs wait and are due; the cursor is behind them."""
    last = after + (desk.claims + 2) * SIZE
    await desk.connection.execute(_WAITING, desk.run_id, after, last)
    await desk.connection.execute(_CURSOR, desk.run_id, last + 1)


async def _again(desk: Desk) -> None:
    """The same queue once more: vacuumed, with other jobs that wait, and nothing claimed."""
    await desk.connection.execute(_CLOSE)
    await _wait(desk, await desk.connection.fetchval(_AFTER, desk.run_id))
    for table in ("jobs", "claims", "cursors", *(["naive"] if desk.has_naive else [])):
        await desk.connection.execute(f"VACUUM ANALYZE outbound.{table}")


async def costs(desk: Desk, condition: str, *, beside_naive: bool = True) -> AsyncIterator[Cost]:
    """Every kind of claim: due jobs first, as a dispatcher takes them."""
    yield await desk.cost(condition, "due", desk.one)
    await desk.connection.execute(_NOT_DUE, desk.run_id)
    yield await desk.cost(condition, "carve", desk.one)
    await desk.connection.execute(_ALL_WAIT, desk.run_id, desk.queued, WAIT_MOST)
    yield await desk.cost(condition, "look for due", desk.due)
    await desk.connection.execute(_EXPIRE)
    yield await desk.cost(condition, "take-over", desk.one)
    if beside_naive and desk.has_naive:
        yield await desk.cost(condition, "SKIP LOCKED", desk.naive, "^naive")


@asynccontextmanager
async def old_snapshot(url: str) -> AsyncIterator[None]:
    """A session that looks at everything as it is now, as a backup does."""
    other = await asyncpg.connect(url, timeout=10)
    await other.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
    await other.fetchval("SELECT count(*) FROM outbound.runs")
    try:
        yield
    finally:
        await other.close()


async def measure(stage: Stage, sizes: list[int], claims: int) -> list[Cost]:
    """Each size in both conditions, on tables that held nothing before."""
    found: list[Cost] = []
    connection = await asyncpg.connect(stage.superuser_url, timeout=10, command_timeout=_SECONDS)
    for row in await connection.fetch(_QUIET):
        await connection.execute(row["order"])
    found += await _unseen(stage, connection, claims)
    url, settings = stage.urls["outbound"], SERVICE.database_settings
    async with open_database(url, application="benchmark", settings=settings) as database:
        for queued in sizes:
            desk = Desk(connection, database, await _fresh(connection, queued), queued, claims)
            async with old_snapshot(stage.superuser_url):
                await _prepare(desk)
                found += [cost async for cost in costs(desk, "old snapshot")]
            await _again(desk)
            found += [cost async for cost in costs(desk, "vacuumed")]
            sys.stderr.write(f"{queued:,} measured\n")
    await connection.close()
    return found


async def _fresh(connection: Any, queued: int) -> str:
    await connection.execute("TRUNCATE outbound.jobs, outbound.claims")
    await connection.execute("UPDATE outbound.runs SET state = 'completed'")
    run_id = await add_run(connection, queued)
    await start(connection, run_id)
    return run_id


async def _unseen(stage: Stage, connection: Any, claims: int) -> list[Cost]:
    """Statements that were prepared while nothing was queued, and a run that came after the last
    look at its month: at an empty one, or at another run.
    """
    found = []
    for older, condition in ((0, "month was empty"), (UNSEEN, "month was another run's")):
        await connection.execute("TRUNCATE outbound.jobs, outbound.claims")
        await connection.execute("UPDATE outbound.runs SET state = 'completed'")
        await add_run(connection, older)
        run_id = await add_run(connection, 0)
        await start(connection, run_id)
        url, settings = stage.urls["outbound"], SERVICE.database_settings
        async with open_database(url, application="benchmark", settings=settings) as database:
            for _ in range(10):
                assert await next_claim(database, run_id, lease=LEASE, wanted=SIZE) is None
                async with transaction(database) as session:
                    due = await store.insert_due(session, run_id, "biz", wanted=1, lease=LEASE)
                    await store.close(session, due, owner=None)
            total = "UPDATE outbound.cursors SET total = $2 WHERE run_id = $1"
            await connection.execute(total, run_id, UNSEEN)
            await connection.execute(_JOBS, run_id, UNSEEN)
            desk = Desk(connection, database, run_id, UNSEEN, claims)
            await connection.execute(_DONE, run_id, UNSEEN // 5)
            await _wait(desk, UNSEEN // 5)
            found += [cost async for cost in costs(desk, condition, beside_naive=False)]
    return found


_JOBS = """
INSERT INTO outbound.jobs (run_id, seq, business_id, contact_id, address)
SELECT $1, n, 'biz', 'con_' || n, '+1202555' || lpad(n::text, 8, '0')
  FROM generate_series(1, $2::bigint) AS n
"""


def main() -> None:
    """Measure, and write down what came of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.claims")
    parser.add_argument("--sizes", default="10000,1000000,5000000")
    parser.add_argument("--claims", type=int, default=80)
    parser.add_argument("--out", type=Path, default=Path(".local/benchmarks"))
    options = parser.parse_args()
    sizes = [int(size) for size in options.sizes.split(",")]
    before = os.getloadavg()[0]
    with servers() as stage:
        found = asyncio.run(measure(stage, sizes, options.claims))
    title = f"Claims: {options.claims} of {SIZE} jobs each, one after the other"
    raw: Mapping[str, Any] = {"costs": [asdict(cost) for cost in found]}
    write(options.out, "claims", title, table_of(found), raw, conditions(before))


if __name__ == "__main__":
    main()
