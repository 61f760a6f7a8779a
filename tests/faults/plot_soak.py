"""Draw what a soak saw: docs/reliability/soak.json becomes soak.png beside it (`make plots`).

Nothing is measured here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path("docs/reliability")
MOST: Final = 6  # tables and queues that have a line of their own: those that had most

Lines = dict[str, list[float]]


def lines(samples: Sequence[Mapping[str, Any]], what: str, figure: str | None = None) -> Lines:
    """A line for each name under `what`, 0 where it was not seen; the highest ones first."""
    names = {name for one in samples for name in one[what]}
    found: Lines = {}
    for name in names:
        seen = [one[what].get(name, 0) for one in samples]
        found[name] = [float(one[figure]) if figure and one else float(one or 0) for one in seen]
    return dict(sorted(found.items(), key=lambda line: (-max(line[1]), line[0]))[:MOST])


def sums(samples: Sequence[Mapping[str, Any]], *whats: str) -> Lines:
    """A line for each of these: the sum of all that is under it."""
    return {what: [float(sum(one[what].values())) for one in samples] for what in whats}


def draw(written: Mapping[str, Any], out: Path) -> None:
    """Memory, connections, dead rows, sizes, queues and what was under way, over the minutes."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    samples = written["repetitions"]["samples"]
    minutes = [one["second"] / 60 for one in samples]
    drawing, places = plt.subplots(3, 2, figsize=(12, 11), sharex=True)
    sizes = lines(samples, "tables", "bytes")
    parts: dict[str, Lines] = {
        "memory of a process, MiB": lines(samples, "memory_mib"),
        "connections": sums(samples, "database_connections", "broker_connections"),
        "dead rows of a table": lines(samples, "tables", "dead"),
        "table with its indexes, MiB": {n: [b / 2**20 for b in line] for n, line in sizes.items()},
        "messages in a queue": lines(samples, "queued") or sums(samples, "queued"),
        "under way": lines(samples, "under_way"),
    }
    for place, (title, drawn) in zip(places.flat, parts.items(), strict=True):
        for name, line in drawn.items():
            place.plot(minutes, line, label=name.replace("_", " "), linewidth=1)
        place.set(title=title, ylim=(0, None))
        place.grid(visible=True, alpha=0.3)
        place.legend(fontsize="x-small")
    for place in places[-1]:
        place.set(xlabel="minutes")
    about = written["conditions"]
    drawing.suptitle(f"{written['title']}\n{about['machine']}, {about['measured_at']}")
    drawing.tight_layout()
    drawing.savefig(out, dpi=80, metadata={"Software": None})


if __name__ == "__main__":
    for seen in FOLDER.glob("soak.json"):
        draw(json.loads(seen.read_text()), seen.with_suffix(".png"))
