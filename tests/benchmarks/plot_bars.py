"""Draw ways beside each other, a bar for each, from the JSON that their benchmarks wrote.

    make plots          docs/benchmarks/peers.json becomes docs/benchmarks/peers.png, and so on

Nothing is measured here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

FOLDER = Path("docs/benchmarks")
# Of each file the figures that are drawn, and what they are called.
FIGURES = {
    "peers": {
        "jobs_per_second": "jobs a second",
        "cpu_seconds_per_1000": "CPU s of the worker per 1,000 jobs",
    },
    "fabric": {
        "events_per_second": "events a second",
        "cpu_seconds_per_1000": "CPU s per 1,000 events",
    },
    "ingest": {
        "requests_per_second": "requests a second",
        "p99_ms": "p99, ms",
        "cpu_seconds_per_1000": "CPU s of the process per 1,000",
    },
    "ingest-files": {"contacts_per_second": "contacts a second"},
}


def bars(written: Mapping[str, Any], figure: str) -> dict[str, float]:
    """The median of each way's repetitions."""
    return {
        way: median(float(one[figure]) for one in ones)
        for way, ones in written["repetitions"].items()
    }


def _labels(values: Sequence[float]) -> list[str]:
    return [f"{value:,.0f}" if max(values) >= 10 else f"{value:,.3g}" for value in values]


def draw(written: Mapping[str, Any], figures: Mapping[str, str], out: Path) -> None:
    """All figures side by side, a bar for each way."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    ways = len(written["repetitions"])
    drawing, places = plt.subplots(
        1, len(figures), figsize=(11, 2 + ways / 3), sharey=True, squeeze=False
    )
    for place, (figure, shown) in zip(places[0], figures.items(), strict=True):
        found = bars(written, figure)
        drawn = place.barh(list(found), list(found.values()))
        place.bar_label(drawn, labels=_labels(list(found.values())), padding=3)
        place.set(xlabel=shown)
        place.margins(x=0.15)
        place.grid(visible=True, axis="x", alpha=0.3)
    places[0][0].invert_yaxis()
    about = written["conditions"]
    drawing.suptitle(
        f"{written['title']}\n{about['machine']}, load average {about['load_average']}"
    )
    drawing.tight_layout()
    drawing.savefig(out, dpi=100, metadata={"Software": None})


if __name__ == "__main__":
    for name, figures in FIGURES.items():
        there = FOLDER / f"{name}.json"
        draw(json.loads(there.read_text()), figures, there.with_suffix(".png"))
