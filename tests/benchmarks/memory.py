"""What one dispatcher holds in memory while a million jobs are queued, from first jobs to later.

python -m tests.benchmarks.memory --jobs 1000000 --until 50000 --step 5000
"""

from __future__ import annotations

import argparse
import os
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.dispatch import environment_of, program
from tests.benchmarks.report import Table, conditions, write
from tests.benchmarks.stage import Stage, add_run, loop_of, servers, start, usage

from trunkline_common.testing.facts import eventually

AIM_MIB = 150
_SECONDS = 600.0
_DONE = "SELECT count(*) FROM outbound.attempts WHERE run_id = $1 AND resolved_at IS NOT NULL"
_QUEUED = "SELECT total - next_seq + 1 FROM outbound.cursors WHERE run_id = $1"
_THERE = """
SELECT count(*) FROM pg_stat_activity
 WHERE application_name = 'trunkline_outbound:dispatch' AND datname = current_database()
"""


@dataclass(frozen=True, slots=True)
class Sample:
    """Of one moment: so many requests have their result, so many jobs no claim yet."""

    dispatched: int
    queued: int
    resident_mib: float
    peak_mib: float


async def _samples(connection: Any, pid: int, options: argparse.Namespace) -> list[Sample]:
    run_id = await add_run(connection, options.jobs)

    async def there() -> bool:
        return bool(await connection.fetchval(_THERE))

    await eventually(there, within=60, what="the dispatcher's first connection")
    found = [Sample(0, options.jobs, usage(pid).resident_mib, usage(pid).peak_mib)]
    await start(connection, run_id)
    for wanted in range(options.step, options.until + 1, options.step):

        async def so_far(wanted: int = wanted) -> int:
            done = int(await connection.fetchval(_DONE, run_id))
            return done if done >= wanted else 0

        done = await eventually(so_far, within=_SECONDS, what=f"{wanted} dispatched jobs")
        queued = int(await connection.fetchval(_QUEUED, run_id))
        now = usage(pid)
        found.append(Sample(done, queued, now.resident_mib, now.peak_mib))
    return found


def measure(stage: Stage, options: argparse.Namespace) -> list[Sample]:
    """One worker and the relay at a run that is far from its end when this ends."""
    with ExitStack() as stack:
        responder = stack.enter_context(program("tests.benchmarks.responder", "--delay", "0.02"))
        assert responder.stdout is not None
        provider = f"http://127.0.0.1:{int(responder.stdout.readline())}"
        environment = environment_of(stage, provider, options.in_flight)
        runner, connection = stack.enter_context(loop_of(stage))
        stack.enter_context(program("trunkline_outbound", "relay", **environment))
        worker = stack.enter_context(program("trunkline_outbound", "dispatch", **environment))
        return runner.run(_samples(connection, worker.pid, options))


def main() -> None:
    """Measure, and write down what came of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.memory")
    parser.add_argument("--jobs", type=int, default=1_000_000)
    parser.add_argument("--until", type=int, default=50_000, help="jobs are dispatched")
    parser.add_argument("--step", type=int, default=5_000, help="jobs from look to look")
    parser.add_argument("--in-flight", type=int, default=100)
    parser.add_argument("--out", type=Path, default=Path(".local/benchmarks"))
    options = parser.parse_args()
    before = os.getloadavg()[0]
    with servers() as stage:
        found = measure(stage, options)
    table = Table(
        ("dispatched", "still queued", "resident MiB", "peak MiB"),
        tuple(
            (f"{s.dispatched:,}", f"{s.queued:,}", f"{s.resident_mib:.0f}", f"{s.peak_mib:.0f}")
            for s in found
        ),
    )
    title = f"Memory of one dispatcher: {options.jobs:,} queued jobs, aim {AIM_MIB} MiB"
    raw = {"samples": [asdict(sample) for sample in found]}
    write(options.out, "memory", title, table, raw, conditions(before))


if __name__ == "__main__":
    main()
