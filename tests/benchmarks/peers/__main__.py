"""The job beside what a user would pick instead: jobs a second, and what a kill leaves behind.

    python -m tests.benchmarks.peers --jobs 20000 --in-flight 100 --repeat 3

Every way makes the same requests to the same provider, which answers after 20 ms, and commits each
outcome to the same PostgreSQL, from one worker process. They take turns.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from tests.benchmarks.dispatch import PREVIOUS_JOBS, dispatching, other, responding
from tests.benchmarks.figures import Figures, raw_of, table_of
from tests.benchmarks.peers import crash
from tests.benchmarks.peers.crash import Aftermath
from tests.benchmarks.peers.job import measure
from tests.benchmarks.peers.runners import Peer, peers
from tests.benchmarks.report import Table, conditions, write
from tests.benchmarks.stage import Stage, servers

TRUNKLINE = "Trunkline"
Found = dict[str, list[Figures]]


def measured(stage: Stage, chosen: tuple[Peer, ...], options: argparse.Namespace) -> Found:
    """Every way, in turns, so many times."""
    names = ("bare loop", TRUNKLINE, *(peer.name for peer in chosen), "previous way")
    found: Found = {name: [] for name in names}
    flying, jobs = options.in_flight, options.jobs
    with responding("--delay", str(options.delay)) as provider:
        for _ in range(options.repeat):
            found["bare loop"].append(other("bare", jobs, stage, provider, flying))
            with dispatching(stage, provider, in_flight=flying) as at_work:
                at_work.warm_up()
                found[TRUNKLINE].append(at_work.run(jobs))
            for peer in chosen:
                found[peer.name].append(measure(peer, stage, provider, in_flight=flying, jobs=jobs))
            found["previous way"].append(other("previous", PREVIOUS_JOBS, stage, provider, 1))
    return found


def killed(
    stage: Stage, chosen: tuple[Peer, ...], options: argparse.Namespace
) -> dict[str, list[Aftermath]]:
    """The worker of each, killed in the middle, so many times."""
    found: dict[str, list[Aftermath]] = {
        name: [] for name in (TRUNKLINE, *(peer.name for peer in chosen))
    }
    how = {"in_flight": options.in_flight, "jobs": options.crash_jobs, "delay": options.delay}
    for _ in range(options.kills):
        found[TRUNKLINE].append(crash.of_dispatch(stage, **how))
        for peer in chosen:
            found[peer.name].append(crash.of_peer(peer, stage, **how))
    return found


def crash_table(found: Mapping[str, list[Aftermath]]) -> Table:
    """Every kill's own numbers."""
    head = ("way", "two requests", "none", "s from the kill to the last request")
    return Table(
        head,
        tuple(
            (
                way,
                ", ".join(str(one.twice) for one in ones),
                ", ".join(str(one.never) for one in ones),
                ", ".join(f"{one.seconds:.0f}" for one in ones),
            )
            for way, ones in found.items()
        ),
    )


def main() -> None:
    """Measure, and write down what came of it."""
    options = _options()
    chosen = tuple(
        p for p in peers(options.in_flight) if not options.only or p.name in options.only
    )
    before = os.getloadavg()[0]
    with servers() as stage:
        if options.repeat:
            found = measured(stage, chosen, options)
            title = (
                f"The job beside the peers: {options.jobs:,} jobs, {options.in_flight} in flight, "
                f"provider {1000 * options.delay:.0f} ms, medians of {options.repeat}"
            )
            write(options.out, "peers", title, table_of(found), raw_of(found), conditions(before))
        if options.kills:
            after = killed(stage, chosen, options)
            title = f"One kill -9 in the middle of {options.crash_jobs:,} jobs, and a restart"
            raw = {way: [asdict(one) for one in ones] for way, ones in after.items()}
            about = conditions(before)
            write(options.out, "peers-killed", title, crash_table(after), raw, about)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.peers")
    parser.add_argument("--jobs", type=int, default=20_000)
    parser.add_argument("--in-flight", type=int, default=100)
    parser.add_argument("--repeat", type=int, default=3, help="0: no figures, only kills")
    parser.add_argument("--kills", type=int, default=1, help="of each worker; 0: none")
    parser.add_argument("--crash-jobs", type=int, default=4_000)
    parser.add_argument("--only", nargs="*", default=[], help="these peers")
    parser.add_argument("--delay", type=float, default=0.02, help="of the provider, in seconds")
    parser.add_argument("--out", type=Path, default=Path(".local/benchmarks"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
