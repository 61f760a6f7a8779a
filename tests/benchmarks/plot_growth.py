"""Draw what claims, the relay and progress cost by how many rows there are.

    make plots          docs/benchmarks/{claims,growth}.json become docs/benchmarks/growth.png

Nothing is measured here. What claims cost comes from the benchmark of claims.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

FOLDER = Path("docs/benchmarks")
CONDITION = "vacuumed"
KINDS = ("due", "carve", "look for due", "take-over")
PANELS = ("a claim", "the relay, for an event", "progress, for a count")

Line = Sequence[tuple[int, float]]


def claims(written: Mapping[str, Any], figure: str) -> dict[str, Line]:
    """A line for each kind of claim of ours."""
    found: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for cost in written["repetitions"]["costs"]:
        if cost["condition"] == CONDITION and cost["kind"] in KINDS:
            name = "p50_ms" if figure == "ms" else figure
            found[cost["kind"]].append((int(cost["queued"]), float(cost[name])))
    return {kind: sorted(points) for kind, points in found.items()}


def others(written: Mapping[str, Any], figure: str, *, progress: bool) -> dict[str, Line]:
    """A line for each kind of the relay, or that of progress."""
    found: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for cost in written["repetitions"]["costs"]:
        if (cost["kind"] == "progress of a run") is progress:
            found[cost["kind"]].append((int(cost["rows"]), float(cost[figure])))
    return {kind: sorted(points) for kind, points in found.items()}


def draw(of_claims: Mapping[str, Any], of_growth: Mapping[str, Any], out: Path) -> None:
    """Milliseconds above, pages below, on logarithmic axes."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    drawing, places = plt.subplots(2, len(PANELS), figsize=(13, 7), sharex=True)
    for row, (figure, shown) in enumerate({"ms": "ms", "pages": "pages touched"}.items()):
        panels = (
            claims(of_claims, figure),
            others(of_growth, figure, progress=False),
            others(of_growth, figure, progress=True),
        )
        for column, lines in enumerate(panels):
            place = places[row][column]
            for kind, points in lines.items():
                place.plot(*zip(*points, strict=True), marker="o", label=kind)
            place.set(xscale="log", yscale="log", ylabel=shown if column == 0 else None)
            place.set(title=PANELS[column] if row == 0 else None)
            place.set(xlabel="rows" if row else None)
            place.grid(visible=True, alpha=0.3)
            if row == 0:
                place.legend(fontsize="small")
    loads = (of["conditions"]["load_average"] for of in (of_claims, of_growth))
    drawing.suptitle(f"Load average: claims {' ; the rest '.join(loads)}")
    drawing.tight_layout()
    drawing.savefig(out, dpi=100, metadata={"Software": None})


if __name__ == "__main__":
    read = [json.loads((FOLDER / f"{name}.json").read_text()) for name in ("claims", "growth")]
    draw(read[0], read[1], FOLDER / "growth.png")
