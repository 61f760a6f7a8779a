"""How long a small run waits beside another business's large one, over its wait alone.

    python -m tests.benchmarks.fairness --large 1000000 --small 10 --repeat 5

One worker, nobody has a limit. The wait is from the small run's start until its last job has its
result: the time that its business would call the system's.
"""

from __future__ import annotations

import argparse
import os
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any, Final

from tests.benchmarks.dispatch import Dispatching, dispatching, responding
from tests.benchmarks.report import Table, conditions, write
from tests.benchmarks.stage import Stage, add_run, servers, start

from trunkline_common.testing.facts import eventually

AIM: Final = 2.0  # protocol.md, 4.1: at most twice what it would wait alone
_SECONDS: Final = 120.0
_WAIT: Final = """
SELECT CASE WHEN count(*) = $2
            THEN 1000 * extract(epoch FROM max(attempts.resolved_at) - min(runs.started_at)) END
  FROM outbound.attempts JOIN outbound.runs USING (run_id)
 WHERE run_id = $1 AND attempts.resolved_at IS NOT NULL
"""
_LEFT: Final = "SELECT total - next_seq + 1 FROM outbound.cursors WHERE run_id = $1"


async def _wait(connection: Any, jobs: int) -> float:
    """Milliseconds that a run of so many jobs, of a business of its own, takes from its start."""
    run_id = await add_run(connection, jobs)
    await start(connection, run_id)

    async def over() -> Any:
        waited = await connection.fetchval(_WAIT, run_id, jobs)
        return False if waited is None else waited

    return float(await eventually(over, within=_SECONDS, what="the small run's last result"))


async def _beside(connection: Any, options: argparse.Namespace) -> tuple[list[float], int]:
    """The waits while the large run goes on, and how much of it was left after the last."""
    run_id = await add_run(connection, options.large)
    await start(connection, run_id)

    async def under_way() -> bool:
        left: int = await connection.fetchval(_LEFT, run_id)
        return left < int(options.large)

    await eventually(under_way, within=_SECONDS, what="the large run's first claim")
    waits = [await _wait(connection, options.small) for _ in range(options.repeat)]
    return waits, int(await connection.fetchval(_LEFT, run_id))


def measure(stage: Stage, options: argparse.Namespace) -> tuple[list[float], list[float]]:
    """The waits alone, and those beside the large run."""
    with ExitStack() as stack:
        provider = stack.enter_context(responding("--delay", "0.02"))
        work: Dispatching = stack.enter_context(
            dispatching(stage, provider, in_flight=options.in_flight)
        )
        work.warm_up()
        alone = [
            work.runner.run(_wait(work.connection, options.small)) for _ in range(options.repeat)
        ]
        beside, left = work.runner.run(_beside(work.connection, options))
    if left <= 0:
        raise SystemExit("benchmarks: the large run ended before the small ones: make it larger")
    return alone, beside


def main() -> None:
    """Measure, and write down what came of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.fairness")
    parser.add_argument("--large", type=int, default=1_000_000)
    parser.add_argument("--small", type=int, default=10)
    parser.add_argument("--in-flight", type=int, default=100)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path(".local/benchmarks"))
    options = parser.parse_args()
    before = os.getloadavg()[0]
    with servers() as stage:
        alone, beside = measure(stage, options)
    ratio = median(beside) / median(alone)
    head = ("a run of", "wait ms, median", "least", "most", "of alone")
    rows = tuple(
        (way, f"{median(waits):.0f}", f"{min(waits):.0f}", f"{max(waits):.0f}", shown)
        for way, waits, shown in (
            (f"{options.small} alone", alone, "1.0"),
            (f"{options.small} beside {options.large:,}", beside, f"{ratio:.1f}"),
        )
    )
    title = f"Fairness: {options.in_flight} in flight, {options.repeat} small runs, aim {AIM}"
    raw = {"alone_ms": alone, "beside_ms": beside}
    write(options.out, "fairness", title, Table(head, rows), raw, conditions(before))


if __name__ == "__main__":
    main()
