"""What a benchmark leaves behind: JSON for programs, a table for people."""

from __future__ import annotations

import json
import os
import platform
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of shown figures under their names."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def markdown(self) -> str:
        """As documentation has it."""
        lines = [self.head, ("---",) * len(self.head), *self.rows]
        return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def conditions(load_before: float) -> dict[str, str]:
    """When, where, and beside what else."""
    spec = sys.modules["__main__"].__spec__
    module = (spec.name if spec else Path(sys.argv[0]).stem).removesuffix(".__main__")
    return {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{os.cpu_count()} cores, Python {platform.python_version()}",
        "load_average": f"{load_before:.1f} before, {os.getloadavg()[0]:.1f} after",
        "command": shlex.join(["python", "-m", module, *sys.argv[1:]]),
    }


def write(
    folder: Path,
    name: str,
    title: str,
    table: Table,
    raw: Mapping[str, Any],
    about: Mapping[str, str],
) -> None:
    """Write `name`.json and `name`.md into the folder, and show the latter."""
    folder.mkdir(parents=True, exist_ok=True)
    shown = "; ".join(f"{key.replace('_', ' ')}: {value}" for key, value in about.items())
    text = f"### {title}\n\n{table.markdown()}\n\n{shown}\n"
    told = {"title": title, "conditions": about, "repetitions": raw}
    (folder / f"{name}.json").write_text(json.dumps(told, indent=2) + "\n")
    (folder / f"{name}.md").write_text(text)
    sys.stdout.write(text)
