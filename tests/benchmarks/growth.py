"""What relaying and counting cost however many rows there are; what claims cost is another's.

    python -m tests.benchmarks.growth --sizes 10000,100000,1000000 --events 10000

The relay is api's own process: beside so many rows of its outbox that were sent already, and with
so many that were not. Progress is one run's, counted and told by outbound's own function. Pages are
what the server touched of the tables: they do not depend on what else runs here.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

from sqlalchemy import text
from tests.benchmarks.dispatch import program
from tests.benchmarks.fabric import QUEUE, api_environment
from tests.benchmarks.raw_broker import BUSINESS, event
from tests.benchmarks.report import Table, conditions, write
from tests.benchmarks.stage import Stage, add_run, loop_of, servers, start, usage

from trunkline_common.broker.management import Management
from trunkline_common.db import Database, open_database, transaction
from trunkline_common.testing.facts import eventually
from trunkline_outbound.app import SERVICE
from trunkline_outbound.progress import tell_progress

SENT, UNSENT, PROGRESS = "relay beside rows sent", "relay of a backlog", "progress of a run"
KINDS: Final = (SENT, UNSENT, PROGRESS)
_SECONDS: Final = 1800.0
_COUNTS: Final = 5  # of progress, at each size
_FIRST: Final = 500  # events of a batch: the clock starts when the first one is marked
_ADD = """
INSERT INTO api.outbox (event_id, business_id, name, subject, payload, correlation_id, occurred_at,
                        sent_at)
SELECT 'evt_' || $1::text || lpad(n::text, 18, '0'), $2, $3, $4, $5, 'benchmark', now(), $6
  FROM generate_series(1, $7::bigint) AS n
"""
_RELAYED = """
SELECT count(*) AS events, extract(epoch FROM max(sent_at) - min(sent_at)) AS seconds
  FROM api.outbox WHERE sent_at > $1
"""
_PAGES = """
SELECT sum(heap_blks_hit + heap_blks_read + idx_blks_hit + idx_blks_read)
  FROM pg_statio_all_tables WHERE schemaname = $1 AND relname ~ $2
"""
_FLUSH = "SELECT pg_stat_force_next_flush()"
_HERE = """
SELECT count(*) FROM pg_stat_activity
 WHERE application_name ~ '^trunkline_api' AND datname = current_database()
"""
_DONE = """
UPDATE outbound.jobs SET state = 'done', reason = 'completed'
 WHERE run_id = $1 AND seq > $2 AND seq <= $3
"""
_DUE = "UPDATE outbound.runs SET progress_due = '-infinity' WHERE run_id = $1"


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one event of the relay, or of one count of a run."""

    kind: str
    rows: int
    ms: float
    cpu_ms: float | None
    pages: float


@dataclass(frozen=True, slots=True)
class Desk:
    """Where rows are put, and who looks at them."""

    stage: Stage
    connection: Any
    events: int

    async def pages(self, schema: str, tables: str) -> int:
        """What was touched so far, as far as sessions have told."""
        await self.connection.execute(_FLUSH)
        return int(await self.connection.fetchval(_PAGES, schema, tables))

    async def add(self, kind: str, rows: int, *, sent: bool) -> None:
        """Facts of a callback's size in api's outbox."""
        fact = event(1)
        moment = await self.connection.fetchval("SELECT now()") if sent else None
        values = (kind, BUSINESS, fact.name, fact.subject, fact.model_dump_json(), moment, rows)
        await self.connection.execute(_ADD, *values)

    async def filled(self, kind: str, rows: int) -> None:
        """Only these rows, as a database has them that was vacuumed lately."""
        await self.connection.execute("TRUNCATE api.outbox")
        await self.add("a", rows, sent=kind == SENT)
        await self.connection.execute("VACUUM ANALYZE api.outbox")
        if kind == SENT:
            await self.add("b", self.events, sent=False)
        management = Management(self.stage.broker.management_url)
        management.call("DELETE", "queues", self.stage.broker.vhost, QUEUE, "contents")

    async def gone(self, since: Any, events: int) -> Any:
        """So many events at least, and the seconds from their first mark to the last one."""

        async def relayed() -> Any:
            row = await self.connection.fetchrow(_RELAYED, since)
            return row if row["events"] >= events else False

        return await eventually(relayed, within=_SECONDS, what=f"{events} events relayed")

    async def alone(self) -> None:
        """Wait until the relay's sessions are over: they have told then what they touched."""

        async def over() -> bool:
            return not await self.connection.fetchval(_HERE)

        await eventually(over, within=60, what="the end of the relay's sessions")


def relayed(desk: Desk, runner: asyncio.Runner, kind: str, rows: int) -> Cost:
    """What the relay's own process takes for an event."""
    runner.run(desk.filled(kind, rows))
    before = runner.run(desk.pages("api", "^outbox"))
    since = runner.run(desk.connection.fetchval("SELECT clock_timestamp()"))
    with program("trunkline_api", "relay", **api_environment(desk.stage)) as process:
        first = runner.run(desk.gone(since, 1))["events"]
        started = usage(process.pid).cpu_seconds
        row = runner.run(desk.gone(since, desk.events))
        cpu = usage(process.pid).cpu_seconds - started
    runner.run(desk.alone())
    pages = runner.run(desk.pages("api", "^outbox")) - before
    all_events = runner.run(desk.connection.fetchrow(_RELAYED, since))["events"]
    ms = 1000 * float(row["seconds"]) / max(1, row["events"] - _FIRST)
    cpu_ms = 1000 * cpu / max(1, row["events"] - first)
    return Cost(kind, rows, ms, cpu_ms, pages / all_events)


async def counted(desk: Desk, database: Database, jobs: int) -> Cost:
    """What a count of a run costs, and telling of it, while its jobs come to their end."""
    await desk.connection.execute("TRUNCATE outbound.jobs, outbound.claims")
    await desk.connection.execute("UPDATE outbound.runs SET state = 'completed'")
    run_id = await add_run(desk.connection, jobs)
    await start(desk.connection, run_id)
    step, before, times = jobs // 10, 0, []
    for turn in range(_COUNTS):
        await desk.connection.execute(_DONE, run_id, turn * step, (turn + 1) * step)
        await desk.connection.execute("VACUUM ANALYZE outbound.jobs")
        await desk.connection.execute(_DUE, run_id)
        before = await desk.pages("outbound", "^jobs")
        began = time.perf_counter()
        assert await tell_progress(database)
        times.append(1000 * (time.perf_counter() - began))
    async with transaction(database) as session:
        await session.execute(text(_FLUSH))
    pages = await desk.pages("outbound", "^jobs") - before
    return Cost(PROGRESS, jobs, median(times), None, pages)


async def _progress(desk: Desk, sizes: Sequence[int]) -> list[Cost]:
    settings = SERVICE.database_settings
    url = desk.stage.urls["outbound"]
    found = []
    for size in sizes:
        async with open_database(url, application="benchmark", settings=settings) as database:
            found.append(await counted(desk, database, size))
        sys.stderr.write(f"{size:,} counted\n")
    return found


def measure(stage: Stage, sizes: Sequence[int], events: int) -> list[Cost]:
    """Each size of each kind."""
    with ExitStack() as stack:
        runner, connection = stack.enter_context(loop_of(stage))
        desk = Desk(stage, connection, events)
        found = runner.run(_progress(desk, sizes))
        for size in sizes:
            found += [relayed(desk, runner, kind, size) for kind in (SENT, UNSENT)]
            sys.stderr.write(f"{size:,} relayed\n")
        return found


def table_of(found: Sequence[Cost]) -> Table:
    """A row for each kind: its cost at each size."""
    sizes = sorted({cost.rows for cost in found})
    shown = {(cost.kind, cost.rows): cost for cost in found}
    rows = []
    for kind in KINDS:
        costs = [shown[kind, size] for size in sizes]
        unit = "ms a count" if kind == PROGRESS else "ms an event"
        digits = 1 if kind == PROGRESS else 2
        rows.append((kind, unit, *(f"{cost.ms:,.{digits}f}" for cost in costs)))
        if kind != PROGRESS:
            rows.append(("", "CPU ms an event", *(f"{cost.cpu_ms:.2f}" for cost in costs)))
        rows.append(("", "pages", *(f"{cost.pages:,.{digits}f}" for cost in costs)))
    return Table(("", "rows", *(f"{size:,}" for size in sizes)), tuple(rows))


def main() -> None:
    """Measure, and write down what came of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.growth")
    parser.add_argument("--sizes", default="10000,100000,1000000")
    parser.add_argument("--events", type=int, default=10_000, help="relayed at each size")
    parser.add_argument("--out", type=Path, default=Path(".local/benchmarks"))
    options = parser.parse_args()
    sizes = [int(size) for size in options.sizes.split(",")]
    before = os.getloadavg()[0]
    with servers() as stage:
        found = measure(stage, sizes, options.events)
    title = f"Growth: the relay's {options.events:,} events, medians of {_COUNTS} counts"
    raw: Mapping[str, Any] = {"costs": [asdict(cost) for cost in found]}
    write(options.out, "growth", title, table_of(found), raw, conditions(before))


if __name__ == "__main__":
    main()
