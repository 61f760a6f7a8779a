"""Where a nemesis works: the running stack, and the dice it is drawn by."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Final

from tests.faults.fleet import REPLICAS
from tests.faults.times import LEASE

if TYPE_CHECKING:
    from tests.faults.matrix import Theatre

BRIEF: Final = (0.2, 1.0)  # seconds of what a process outlives without losing anything
LONG: Final = (1.1 * LEASE, 1.5 * LEASE)  # of what costs it its leases


@dataclass(frozen=True, slots=True)
class Scene:
    """Where a nemesis works, and the dice it is drawn by."""

    theatre: Theatre
    dice: random.Random

    @property
    def folder(self) -> Path:
        """Of the instance that is struck."""
        return self.theatre.stack.folder

    def somebody(self, *, but: tuple[str, ...] = ()) -> str:
        """One of the processes."""
        return self.dice.choice([one.name for one in REPLICAS if one.name not in but])

    def pause(self, between: tuple[float, float]) -> None:
        """Let it last."""
        Event().wait(self.dice.uniform(*between))


Nemesis = Callable[[Scene], str]
