"""Draw the job beside the peers, from the JSON that its benchmark wrote.

    make plots          docs/benchmarks/peers.json becomes docs/benchmarks/peers.png

Nothing is measured here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

FOLDER = Path("docs/benchmarks")
FIGURES = {
    "jobs_per_second": "jobs a second",
    "cpu_seconds_per_1000": "CPU s of the worker per 1,000 jobs",
}


def bars(written: Mapping[str, Any], figure: str) -> dict[str, float]:
    """The median of each way's repetitions."""
    return {
        way: median(float(one[figure]) for one in ones)
        for way, ones in written["repetitions"].items()
    }


def draw(written: Mapping[str, Any], out: Path) -> None:
    """Both figures side by side, a bar for each way."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    drawing, places = plt.subplots(1, len(FIGURES), figsize=(11, 5), sharey=True)
    for place, (figure, shown) in zip(places, FIGURES.items(), strict=True):
        found = bars(written, figure)
        drawn = place.barh(list(found), list(found.values()))
        place.bar_label(drawn, fmt="{:,.3g}" if max(found.values()) < 10 else "{:,.0f}", padding=3)
        place.set(xlabel=shown)
        place.margins(x=0.15)
        place.grid(visible=True, axis="x", alpha=0.3)
    places[0].invert_yaxis()
    about = written["conditions"]
    drawing.suptitle(
        f"{written['title']}\n{about['machine']}, load average {about['load_average']}"
    )
    drawing.tight_layout()
    drawing.savefig(out, dpi=100, metadata={"Software": None})


if __name__ == "__main__":
    draw(json.loads((FOLDER / "peers.json").read_text()), FOLDER / "peers.png")
