"""What repetitions took, and the table of their medians."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from tests.benchmarks.report import Table

USERS = ("database", "relay", "broker")


@dataclass(frozen=True, slots=True)
class Figures:
    """What one repetition of one way took."""

    jobs: int
    seconds: float
    cpu_seconds: float
    peak_mib: float
    drain_seconds: float | None = None
    others: Mapping[str, float] = field(default_factory=dict)  # CPU seconds of who helped

    @property
    def rate(self) -> float:
        """Jobs a second."""
        return self.jobs / self.seconds

    @property
    def cpu_per_1000(self) -> float:
        """CPU seconds of the process for a thousand jobs."""
        return 1000 * self.cpu_seconds / self.jobs

    def other_per_1000(self, name: str) -> float:
        """CPU seconds of one of the others for a thousand jobs."""
        return 1000 * self.others[name] / self.jobs


def table_of(found: Mapping[str, list[Figures]]) -> Table:
    """Medians of the repetitions, with the ratio to the bare loop."""
    bare = median(f.rate for f in found["bare loop"])
    used = [name for name in USERS if any(name in f.others for fs in found.values() for f in fs)]
    rows = []
    for way, figures in found.items():
        rate = median(f.rate for f in figures)
        others = [
            f"{median(f.other_per_1000(name) for f in figures):.2f}"
            if name in figures[0].others
            else ""
            for name in used
        ]
        rows.append(
            (
                way,
                f"{rate:,.0f}",
                f"{rate / bare:.2f}",
                f"{median(f.cpu_per_1000 for f in figures):.2f}",
                *others,
                f"{median(f.peak_mib for f in figures):.0f}",
            )
        )
    head = ("way", "jobs/s", "of bare", "CPU s per 1,000 jobs: worker", *used, "peak MiB")
    return Table(head, tuple(rows))


def raw_of(found: Mapping[str, list[Figures]]) -> dict[str, Any]:
    """Every repetition, for programs."""
    return {
        way: [
            {"jobs_per_second": f.rate, "cpu_seconds_per_1000": f.cpu_per_1000, **asdict(f)}
            for f in figures
        ]
        for way, figures in found.items()
    }
