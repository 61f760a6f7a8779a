"""What a part found: kept as JSON while it goes on, so that it can be resumed, and when it ends."""

from __future__ import annotations

import json
import os
import platform
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from trunkline_dev.checkout import checkout_root

PUBLISHED: Final = checkout_root() / "docs" / "reliability"
UNDER_WAY: Final = checkout_root() / ".local" / "faults"


@dataclass
class Result:
    """One part of one seed: its rounds, each whole, and what is said of all of them together."""

    part: str
    seed: int
    rounds: list[dict[str, Any]] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    seconds: float = 0.0  # that all starts took together
    folder: Path | None = None  # that keeps each round, so that the part can be resumed
    _began: float = field(default_factory=time.monotonic)

    @classmethod
    def resumed(cls, part: str, seed: int, *, folder: Path = UNDER_WAY) -> Result:
        """What an earlier start with this seed had done."""
        path = _path(folder, part, seed)
        if not path.exists():
            return cls(part, seed, folder=folder)
        told = json.loads(path.read_text())
        return cls(part, seed, told["rounds"], seconds=told["seconds"], folder=folder)

    def add(self, figures: dict[str, Any], problems: Sequence[str]) -> None:
        """A round is over: keep it, if it held; what did not hold is played again."""
        seconds = {name: value for name, value in figures.items() if not isinstance(value, list)}
        sys.stdout.write(f"  round {len(self.rounds) + 1}: {seconds}\n")
        sys.stdout.writelines(f"    {problem}\n" for problem in problems)
        sys.stdout.flush()
        self.problems += problems
        if not problems:
            self.rounds.append(figures)
        if self.folder and not problems:
            self._write(_path(self.folder, self.part, self.seed))

    def dice(self, number: int) -> random.Random:
        """What decides everything random about a round."""
        return random.Random(f"{self.seed}:{self.part}:{number}")

    def again(self) -> str:
        """The command that makes this."""
        return f"make faults LONG=1 ONLY={self.part} SEED={self.seed}"

    def publish(self) -> None:
        """Put it where the tables are made from; the next start begins anew."""
        self._write(PUBLISHED / f"{self.part}.json")
        if self.folder:
            _path(self.folder, self.part, self.seed).unlink(missing_ok=True)

    def _write(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        content = {
            "part": self.part,
            "seed": self.seed,
            "command": self.again(),
            "at": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
            "machine": f"{os.cpu_count()} cores, {platform.machine()}",
            "seconds": round(self.seconds + time.monotonic() - self._began),
            "load": round(os.getloadavg()[1], 1),
            "figures": self.figures,
            "rounds": self.rounds,
        }
        path.write_text(json.dumps(content, indent=1) + "\n")


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """The middle, the 99th of a hundred, and the worst; nothing of nothing."""
    ordered = sorted(values)
    if not ordered:
        return {}

    def at(share: float) -> float:
        return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 2)

    return {"p50": at(0.5), "p99": at(0.99), "max": round(ordered[-1], 2)}


def _path(folder: Path, part: str, seed: int) -> Path:
    return folder / f"{part}-{seed}.json"
