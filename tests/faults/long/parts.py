"""The parts of the long form, by the names that `ONLY` takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from tests.faults.long import callbacks, cancel, database, hints, kills, terms, timeouts
from tests.faults.long.results import Result
from tests.faults.long.times import FIFTH, UNSCALED, Times
from tests.faults.long.yard import Yard


@dataclass(frozen=True, slots=True)
class Part:
    """What it does in a line, how it is played, and on what kind of stack."""

    about: str
    play: Callable[[Yard, Result], None]
    times: Times = field(default_factory=lambda: FIFTH)
    deaf: bool = False


PARTS: Final[dict[str, Part]] = {
    "kills": Part("1,000 kills over 50,000 jobs, times at a fifth", kills.play),
    "unscaled": Part("20 kills, times as the protocol has them", kills.play_unscaled, UNSCALED),
    "database": Part("200 immediate stops of PostgreSQL under load", database.play),
    "timeouts": Part("20,000 requests, a fifth of them without an answer", timeouts.play),
    "cancel": Part("a run of 100,000 is cancelled, three times", cancel.play),
    "terms": Part("200 SIGTERMs under load", terms.play),
    "callbacks": Part("100,000 permutations of what is said of a call", callbacks.play),
    "hints": Part("every hint is lost, times as the protocol has them", hints.play, UNSCALED, True),
}


def wanted(only: str) -> list[str]:
    """The part of this name; all of them without one."""
    return [name for name in PARTS if only in ("", name)]


def play(name: str, result: Result, instance: str) -> None:
    """One part on a stack of its own."""
    part = PARTS[name]
    with Yard.open(instance, part.times, deaf=part.deaf) as yard:
        part.play(yard, result)
