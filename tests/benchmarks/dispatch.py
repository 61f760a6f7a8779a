"""How fast one worker process dispatches, beside a bare loop and the previous system's way.

    python -m tests.benchmarks.dispatch --jobs 20000 --in-flight 100 --repeat 3

The worker and the relay are outbound's own processes; the provider answers after 20 ms. The ways
take turns, so that whatever else this machine does meets each of them.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.figures import Figures, raw_of, table_of
from tests.benchmarks.processes import seconds_of, servers_of
from tests.benchmarks.report import conditions, write
from tests.benchmarks.stage import KEY, Stage, add_run, loop_of, servers, start, usage

from trunkline_common.testing.facts import eventually

PREVIOUS_JOBS = 100
WARM_UP_JOBS = 2_000
_ANALYZE = "ANALYZE outbound.attempts, outbound.jobs, outbound.outbox"
_SECONDS = 600.0
_TOOK = """
SELECT extract(epoch FROM max(attempts.resolved_at) - min(runs.started_at))
  FROM outbound.attempts JOIN outbound.runs USING (run_id) WHERE run_id = $1
"""
_OPEN = """
SELECT EXISTS (SELECT FROM outbound.cursors WHERE run_id = $1 AND next_seq <= total)
    OR EXISTS (SELECT FROM outbound.claims WHERE run_id = $1 AND closed_at IS NULL)
"""
_STATES = "SELECT state, count(*) FROM outbound.jobs WHERE run_id = $1 GROUP BY 1"
_REQUESTS = "SELECT count(*) FROM outbound.attempts WHERE run_id = $1"
_UNSENT = "SELECT EXISTS (SELECT FROM outbound.outbox WHERE sent_at IS NULL)"
_DRAINED = """
SELECT extract(epoch FROM (SELECT max(sent_at) FROM outbound.outbox) -
       (SELECT max(resolved_at) FROM outbound.attempts WHERE run_id = $1))
"""


@contextmanager
def program(*words: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """A Python process of ours for as long as the block lasts."""
    process = subprocess.Popen(
        [sys.executable, "-m", *words],
        env=os.environ | environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.terminate()


def environment_of(stage: Stage, provider: str, in_flight: int) -> dict[str, str]:
    """What outbound's processes need to work here."""
    return {
        "OUTBOUND_DATABASE_URL": stage.urls["outbound"],
        "OUTBOUND_BROKER_URL": stage.broker.url,
        "OUTBOUND_SEALING_KEYS": f"k1:{base64.b64encode(KEY).decode()}",
        "OUTBOUND_CALLBACK_SECRET": "secret",
        "OUTBOUND_CALLBACK_BASE_URL": "http://api.test",
        "OUTBOUND_TWILIO_BASE_URL": provider,
        "OUTBOUND_CONCURRENCY": str(in_flight),
        "LOG_LEVEL": "WARNING",
    }


@dataclass(frozen=True, slots=True)
class Dispatching:
    """Outbound's own processes at work: dispatchers and a relay, and who watches them."""

    runner: asyncio.Runner
    connection: Any
    workers: tuple[int, ...]
    roots: Mapping[str, tuple[int, ...]]

    def run(self, jobs: int) -> Figures:
        """What one run of so many jobs takes."""
        return self.runner.run(_dispatched(self, jobs))

    def warm_up(self) -> None:
        """Make the state of a service that has worked before: its months have statistics.

        The scheduler analyses a month within seconds of its filling, which a benchmark that begins
        at once would not wait for; before that, statements have the plans of an empty table.
        """
        self.run(WARM_UP_JOBS)
        self.runner.run(self.connection.execute(_ANALYZE))


async def _dispatched(at_work: Dispatching, jobs: int) -> Figures:
    """One run, from its start to its last result."""
    connection = at_work.connection
    run_id = await add_run(connection, jobs)
    before = [usage(pid).cpu_seconds for pid in at_work.workers]
    others = seconds_of(at_work.roots)
    await start(connection, run_id)

    async def over() -> bool:
        return not await connection.fetchval(_OPEN, run_id)

    await eventually(over, within=_SECONDS, what="the end of the run")
    after = [usage(pid) for pid in at_work.workers]
    await _check(connection, run_id, jobs)

    async def drained() -> bool:
        return not await connection.fetchval(_UNSENT)

    await eventually(drained, within=_SECONDS, what="the outbox's end")
    return Figures(
        jobs=jobs,
        seconds=float(await connection.fetchval(_TOOK, run_id)),
        cpu_seconds=sum(u.cpu_seconds for u in after) - sum(before),
        peak_mib=max(u.peak_mib for u in after),
        drain_seconds=max(0.0, float(await connection.fetchval(_DRAINED, run_id))),
        others={n: s - others[n] for n, s in seconds_of(at_work.roots).items()},
    )


async def _check(connection: Any, run_id: str, jobs: int) -> None:
    """A figure counts only if each job was accepted, by one request."""
    states = {row["state"]: row["count"] for row in await connection.fetch(_STATES, run_id)}
    if states != {"accepted": jobs}:
        raise SystemExit(f"benchmarks: not every job was accepted: {states}")
    requests = await connection.fetchval(_REQUESTS, run_id)
    if requests != jobs:
        raise SystemExit(f"benchmarks: {requests} requests for {jobs} jobs")


@contextmanager
def dispatching(
    stage: Stage, provider: str, *, in_flight: int, workers: int = 1
) -> Iterator[Dispatching]:
    """Outbound's processes for as long as the block lasts, connected."""
    environment = environment_of(stage, provider, in_flight)
    with ExitStack() as stack:
        runner, connection = stack.enter_context(loop_of(stage))
        relay = stack.enter_context(program("trunkline_outbound", "relay", **environment))
        pids = tuple(
            stack.enter_context(program("trunkline_outbound", "dispatch", **environment)).pid
            for _ in range(workers)
        )
        runner.run(_ready(connection, workers))
        servers = runner.run(servers_of(stage, connection))
        roots = {name: (pid,) for name, pid in {**servers, "relay": relay.pid}.items()}
        yield Dispatching(runner, connection, pids, roots)


def other(way: str, jobs: int, stage: Stage, provider: str, in_flight: int) -> Figures:
    """One repetition of one of the ways in bare.py."""
    with loop_of(stage) as (runner, connection):
        database = runner.run(servers_of(stage, connection))["database"]
    arguments = {
        "--database": stage.superuser_url,
        "--database-pid": str(database),
        "--provider": provider,
        "--jobs": str(jobs),
        "--in-flight": str(in_flight),
    }
    words = [word for pair in arguments.items() for word in pair]
    with program("tests.benchmarks.bare", way, *words) as process:
        said, _ = process.communicate(timeout=_SECONDS)
    return Figures(jobs, **json.loads(said))


@contextmanager
def responding(*words: str) -> Iterator[str]:
    """A provider of its own; its URL."""
    with program("tests.benchmarks.responder", *words) as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"


def measure(stage: Stage, options: argparse.Namespace) -> dict[str, list[Figures]]:
    """Every way, in turns, so many times."""
    found: dict[str, list[Figures]] = {"bare loop": [], "dispatch": [], "previous way": []}
    flying = options.in_flight
    with (
        responding("--delay", str(options.delay)) as provider,
        dispatching(stage, provider, in_flight=flying, workers=options.workers) as at_work,
    ):
        at_work.warm_up()
        for _ in range(options.repeat):
            found["bare loop"].append(other("bare", options.jobs, stage, provider, flying))
            found["dispatch"].append(at_work.run(options.jobs))
            found["previous way"].append(other("previous", PREVIOUS_JOBS, stage, provider, 1))
    return found


async def _ready(connection: Any, workers: int) -> None:
    """Wait until everybody is connected; starting is not what is measured."""
    sql = """
    SELECT count(*) FROM pg_stat_activity
     WHERE application_name IN ('trunkline_outbound:dispatch', 'trunkline_outbound:relay')
       AND datname = current_database()
    """

    async def there() -> bool:
        return int(await connection.fetchval(sql)) > workers

    await eventually(there, within=60, what="the processes' first connections")


def main() -> None:
    """Measure, and write down what came of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.dispatch")
    parser.add_argument("--jobs", type=int, default=20_000)
    parser.add_argument("--in-flight", type=int, default=100)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--delay", type=float, default=0.02, help="of the provider, in seconds")
    parser.add_argument("--out", type=Path, default=Path(".local/benchmarks"))
    options = parser.parse_args()
    before = os.getloadavg()[0]
    with servers() as stage:
        found = measure(stage, options)
    title = (
        f"Dispatch: {options.jobs:,} jobs, {options.in_flight} in flight, {options.workers} "
        f"worker(s), provider {1000 * options.delay:.0f} ms, medians of {options.repeat}"
    )
    write(options.out, "dispatch", title, table_of(found), raw_of(found), conditions(before))


if __name__ == "__main__":
    main()
