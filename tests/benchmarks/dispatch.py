"""How fast one worker process dispatches, beside a bare loop and the previous system's way.

    python -m tests.benchmarks.dispatch --jobs 20000 --in-flight 100 --repeat 3

The worker and the relay are outbound's own processes; the provider answers after 20 ms. The ways
take turns, so that whatever else this machine does meets each of them.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from tests.benchmarks.report import Table, conditions, write
from tests.benchmarks.stage import KEY, Stage, add_run, loop_of, servers, start, usage

from trunkline_common.testing.facts import eventually

PREVIOUS_JOBS = 100
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


@dataclass(frozen=True, slots=True)
class Figures:
    """What one repetition of one way took."""

    jobs: int
    seconds: float
    cpu_seconds: float
    peak_mib: float
    drain_seconds: float | None = None

    @property
    def rate(self) -> float:
        """Jobs a second."""
        return self.jobs / self.seconds

    @property
    def cpu_per_1000(self) -> float:
        """CPU seconds of the process for a thousand jobs."""
        return 1000 * self.cpu_seconds / self.jobs


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


async def _dispatched(connection: Any, workers: list[int], options: argparse.Namespace) -> Figures:
    """One run, from its start to its last result, by these processes."""
    run_id = await add_run(connection, options.jobs)
    before = [usage(pid).cpu_seconds for pid in workers]
    await start(connection, run_id)

    async def over() -> bool:
        return not await connection.fetchval(_OPEN, run_id)

    await eventually(over, within=_SECONDS, what="the end of the run")
    after = [usage(pid) for pid in workers]
    states = {row["state"]: row["count"] for row in await connection.fetch(_STATES, run_id)}
    if states != {"accepted": options.jobs}:
        raise SystemExit(f"benchmarks: not every job was accepted: {states}")
    requests = await connection.fetchval(_REQUESTS, run_id)
    if requests != options.jobs:
        raise SystemExit(f"benchmarks: {requests} requests for {options.jobs} jobs")

    async def drained() -> bool:
        return not await connection.fetchval(_UNSENT)

    await eventually(drained, within=_SECONDS, what="the outbox's end")
    return Figures(
        jobs=options.jobs,
        seconds=float(await connection.fetchval(_TOOK, run_id)),
        cpu_seconds=sum(u.cpu_seconds for u in after) - sum(before),
        peak_mib=max(u.peak_mib for u in after),
        drain_seconds=max(0.0, float(await connection.fetchval(_DRAINED, run_id))),
    )


def _other(way: str, jobs: int, stage: Stage, provider: str, in_flight: int) -> Figures:
    arguments = {
        "--database": stage.superuser_url,
        "--provider": provider,
        "--jobs": str(jobs),
        "--in-flight": str(in_flight),
    }
    words = [word for pair in arguments.items() for word in pair]
    with program("tests.benchmarks.bare", way, *words) as process:
        said, _ = process.communicate(timeout=_SECONDS)
    return Figures(jobs, **json.loads(said))


def measure(stage: Stage, options: argparse.Namespace) -> dict[str, list[Figures]]:
    """Every way, in turns, so many times."""
    found: dict[str, list[Figures]] = {"bare loop": [], "dispatch": [], "previous way": []}
    with ExitStack() as stack:
        responder = stack.enter_context(
            program("tests.benchmarks.responder", "--delay", str(options.delay))
        )
        assert responder.stdout is not None
        provider = f"http://127.0.0.1:{int(responder.stdout.readline())}"
        environment = environment_of(stage, provider, options.in_flight)
        runner, connection = stack.enter_context(loop_of(stage))
        stack.enter_context(program("trunkline_outbound", "relay", **environment))
        workers = [
            stack.enter_context(program("trunkline_outbound", "dispatch", **environment)).pid
            for _ in range(options.workers)
        ]
        runner.run(_ready(connection, options.workers))
        for _ in range(options.repeat):
            flying = options.in_flight
            found["bare loop"].append(_other("bare", options.jobs, stage, provider, flying))
            found["dispatch"].append(runner.run(_dispatched(connection, workers, options)))
            found["previous way"].append(_other("previous", PREVIOUS_JOBS, stage, provider, 1))
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


def table_of(found: Mapping[str, list[Figures]]) -> Table:
    """Medians of the repetitions, with the ratio to the bare loop."""
    bare = median(f.rate for f in found["bare loop"])
    head = ("way", "jobs/s", "of bare", "CPU s per 1,000 jobs", "peak MiB", "outbox drained")
    rows = []
    for way, figures in found.items():
        rate = median(f.rate for f in figures)
        drains = [f.drain_seconds for f in figures if f.drain_seconds is not None]
        rows.append(
            (
                way,
                f"{rate:,.0f}",
                f"{rate / bare:.2f}",
                f"{median(f.cpu_per_1000 for f in figures):.2f}",
                f"{median(f.peak_mib for f in figures):.0f}",
                f"{median(drains):.1f} s after" if drains else "",
            )
        )
    return Table(head, tuple(rows))


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
    raw = {
        way: [
            {"jobs_per_second": f.rate, "cpu_seconds_per_1000": f.cpu_per_1000, **asdict(f)}
            for f in figures
        ]
        for way, figures in found.items()
    }
    write(options.out, "dispatch", title, table_of(found), raw, conditions(before))


if __name__ == "__main__":
    main()
