"""`python -m tests.faults.long.report`: the table of docs/reliability.md, from its JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from tests.faults.long.parts import PARTS
from tests.faults.long.results import PUBLISHED


def main() -> int:
    """Print it."""
    sys.stdout.write("\n".join(rows()) + "\n")
    return 0


def rows() -> Iterator[str]:
    """A line for each part that was played."""
    yield "| part | what was found | when, load | command |"
    yield "| --- | --- | --- | --- |"
    for name in PARTS:
        path = PUBLISHED / f"{name}.json"
        if path.exists():
            told = json.loads(path.read_text())
            when = f"{told['at']}, {told['seconds']:.0f} s, load {told['load']:g}"
            yield f"| {name} | {spoken(told['figures'])} | {when} | `{told['command']}` |"


def spoken(figures: Mapping[str, Any]) -> str:
    """Figures as a reader takes them in."""
    return "; ".join(f"{name.replace('_', ' ')} {_value(value)}" for name, value in figures.items())


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "(" + ", ".join(f"{name} {_value(one)}" for name, one in value.items()) + ")"
    return f"{value:,}" if isinstance(value, int | float) else str(value)


if __name__ == "__main__":
    sys.exit(main())
