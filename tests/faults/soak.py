"""Everything at a low rate, for as long as you like: does anything grow that should not?

    make soak MINUTES=60     campaigns of calls, messages, doubts, controls and recordings

Nobody strikes here. What was seen is written to docs/reliability/soak.json (`--out` elsewhere), and
drawn by `make plots`; at the end the laboratory's judge reads all campaigns, as after a storm.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.benchmarks.report import Table, conditions, write
from tests.faults.judge import gather, violations
from tests.faults.matrix import Theatre
from tests.faults.points import Stage
from tests.faults.samples import Sample, growing, quarters, take
from tests.faults.stages import Campaign

STAGES: Final[tuple[Stage, ...]] = ("calls", "messages", "doubts", "controls")
EVERY: Final = 6.0  # seconds from the start of one campaign to that of the next
LOOK: Final = 10.0  # seconds from one look to the next
AT_ONCE: Final = 50  # campaigns that the judge reads together


@contextmanager
def watched(theatre: Theatre, began: float) -> Iterator[list[Sample]]:
    """Samples, taken on a thread of their own until the block ends."""
    samples: list[Sample] = []
    over = threading.Event()

    def look() -> None:
        while True:
            samples.append(take(theatre.fleet, theatre.records, began))
            if over.wait(LOOK):
                return

    watch = threading.Thread(target=look, name="soak")
    watch.start()
    try:
        yield samples
    finally:
        over.set()
        watch.join()


def play(theatre: Theatre, seconds: float) -> list[Campaign]:
    """One campaign after the other, each stage in its turn."""
    began = time.monotonic()
    campaigns: list[Campaign] = []
    pause = threading.Event()
    while time.monotonic() - began < seconds:
        campaigns.append(theatre.actors[STAGES[len(campaigns) % len(STAGES)]].begin())
        pause.wait(max(0.0, began + EVERY * len(campaigns) - time.monotonic()))
    return campaigns


def judged(theatre: Theatre, campaigns: Sequence[Campaign]) -> list[str]:
    """What the judge says of all of them, when everything had its time."""
    problems = theatre.stuck(campaigns)
    for at in range(0, len(campaigns), AT_ONCE):
        for evidence in gather(theatre.records, campaigns[at : at + AT_ONCE]):
            problems += violations(evidence)
    return problems


def table(samples: Sequence[Sample]) -> Table:
    """Each figure in the second quarter of the time and in the last one."""
    rows = []
    for name in samples[-1]["memory_mib"]:
        before, after = quarters(samples, lambda one: one["memory_mib"].get(name, 0.0))  # noqa: B023
        rows.append((f"memory of {name}, MiB", f"{before:.0f}", f"{after:.0f}"))
    sums = {
        "connections to PostgreSQL": lambda one: sum(one["database_connections"].values()),
        "connections to RabbitMQ": lambda one: sum(one["broker_connections"].values()),
        "messages in queues": lambda one: sum(one["queued"].values()),
        "dead rows, all tables": lambda one: sum(t["dead"] for t in one["tables"].values()),
        "live rows, all tables": lambda one: sum(t["live"] for t in one["tables"].values()),
        "tables and indexes, MiB": lambda one: (
            sum(t["bytes"] for t in one["tables"].values()) / 2**20
        ),
    }
    for name, figure in sums.items():
        before, after = quarters(samples, figure)
        rows.append((name, f"{before:,.0f}", f"{after:,.0f}"))
    return Table(("figure", "second quarter", "last quarter"), tuple(rows))


def main() -> int:
    """Play, judge, write; 1 if anything is wrong or grows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--out", type=Path, default=Path("docs/reliability"))
    parser.add_argument("--instance", default="test-soak")
    asked = parser.parse_args()
    load, began = os.getloadavg()[0], time.monotonic()
    with Theatre.open(asked.instance) as theatre:
        with watched(theatre, began) as samples:
            campaigns = play(theatre, 60 * asked.minutes)
        problems = judged(theatre, campaigns)
        samples.append(take(theatre.fleet, theatre.records, began))
    problems += growing(samples[:-1])
    stages = Counter(one.stage for one in campaigns)
    contacts = sum(len(one.audience) for one in campaigns)
    title = f"A soak of {asked.minutes:g} minutes: {len(campaigns)} campaigns, {contacts} contacts"
    told = {"samples": samples, "campaigns": dict(stages), "problems": problems}
    write(asked.out, "soak", title, table(samples[:-1]), told, conditions(load))
    sys.stdout.write("\n".join(["", *problems]) + "\n" if problems else "nothing is wrong\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
