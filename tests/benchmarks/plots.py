"""Draw what claims cost by how many jobs are queued, from the JSON that their benchmark wrote.

    make plots          docs/benchmarks/claims.json becomes docs/benchmarks/claims.png

Nothing is measured here, and matplotlib is not among what anything else needs.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

FOLDER = Path("docs/benchmarks")
CONDITIONS = ("vacuumed", "old snapshot")
KINDS = ("due", "carve", "look for due", "take-over", "SKIP LOCKED")
FIGURES = {"p99_ms": "p99, ms", "pages": "pages touched by a claim"}

Line = Sequence[tuple[int, float]]


def lines(costs: Sequence[Mapping[str, Any]], figure: str, condition: str) -> dict[str, Line]:
    """A line for each kind of claim: its figure by the jobs that were queued."""
    found: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for cost in costs:
        if cost["condition"] == condition:
            found[cost["kind"]].append((int(cost["queued"]), float(cost[figure])))
    return {kind: sorted(found[kind]) for kind in KINDS if kind in found}


def draw(written: Mapping[str, Any], out: Path) -> None:
    """Both figures in both conditions, on logarithmic axes."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    costs = written["repetitions"]["costs"]
    drawing, places = plt.subplots(
        len(FIGURES), len(CONDITIONS), figsize=(10, 7), sharex=True, sharey="row"
    )
    for row, (figure, shown) in enumerate(FIGURES.items()):
        for column, condition in enumerate(CONDITIONS):
            place = places[row][column]
            for kind, points in lines(costs, figure, condition).items():
                queued, values = zip(*points, strict=True)
                place.plot(queued, values, marker="o", label=kind)
            place.set(xscale="log", yscale="log", ylabel=shown if column == 0 else None)
            place.set(title=condition if row == 0 else None)
            place.set(xlabel="jobs queued" if row == len(FIGURES) - 1 else None)
            place.grid(visible=True, alpha=0.3)
    places[0][0].legend(fontsize="small")
    about = written["conditions"]
    drawing.suptitle(
        f"{written['title']}\n{about['machine']}, load average {about['load_average']}"
    )
    drawing.savefig(out, dpi=100, metadata={"Software": None})


def main() -> None:
    """Draw one file from the other."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.plots")
    parser.add_argument("--json", type=Path, default=FOLDER / "claims.json")
    parser.add_argument("--png", type=Path, default=FOLDER / "claims.png")
    options = parser.parse_args()
    draw(json.loads(options.json.read_text()), options.png)


if __name__ == "__main__":
    main()
