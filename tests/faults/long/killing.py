"""Kills by the dice: whom, when, and whether at a place of the code or wherever it is just then."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tests.faults.laboratory import Strike, service_of
from tests.faults.long.deaths import Coroner, Death
from tests.faults.long.yard import Yard
from tests.faults.points import Cell, Point

from trunkline_dev.servers.processes import wait_until

ANYWHERE: Final = ""
REACH_SECONDS: Final = 6.0  # until a place is passed; then the signal comes from outside
_DEATH_SECONDS: Final = 10.0

# Between the commit of an intent and the one of its result.
WINDOW: Final = (
    "outbound.intents.after_commit",
    "send.begun",
    "send.last_byte_withheld",
    "send.last_byte_released",
    "send.last_byte_left",
    "send.answered",
    "outbound.record.before_commit",
)
_MESSAGES: Final = (
    "messaging.intents.after_commit",
    "send.begun",
    "send.last_byte_left",
    "send.answered",
    "messaging.record.before_commit",
)
# Of 100 kills so many are of this part, at one of these places.
SHARES: Final[tuple[tuple[int, str, tuple[str, ...]], ...]] = (
    (30, "dispatch", WINDOW),
    (14, "dispatch", (ANYWHERE,)),
    (8, "messaging", _MESSAGES),
    (8, "messaging", (ANYWHERE,)),
    (10, "reconcile", (ANYWHERE, "outbound.fold_calls.before_commit")),
    (8, "relay", (ANYWHERE, "relay.claimed", "relay.published")),
    (8, "consume", (ANYWHERE, "consumer.taken", "consumer.applied")),
    (8, "api", (ANYWHERE, "api.callback.before_commit", "api.callback.after_commit")),
    (4, "recordings", (ANYWHERE, "recordings.answered")),
    (2, "schedule", (ANYWHERE,)),
)


@dataclass(frozen=True, slots=True)
class Blow:
    """One kill to come."""

    part: str
    place: str  # a failpoint, or anywhere
    nth: int


def blows(count: int, dice: random.Random) -> list[Blow]:
    """So many kills, mixed as `SHARES` says, in an order of the dice."""
    weights = [share for share, _, _ in SHARES]
    whole = [one for one in SHARES for _ in range(count * one[0] // sum(weights))]
    rest = dice.choices(SHARES, weights, k=count - len(whole))
    chosen = [*whole, *rest]
    dice.shuffle(chosen)
    return [Blow(part, dice.choice(places), dice.randint(1, 12)) for _, part, places in chosen]


@dataclass(frozen=True, slots=True)
class Killer:
    """Carries blows out, and tells the coroner."""

    yard: Yard
    coroner: Coroner
    dice: random.Random

    def strike(self, blow: Blow) -> Death:
        """One process dies; returned once it is gone."""
        if blow.place != ANYWHERE:
            death = self._at_place(blow)
            if death is not None:
                return death
        name = self.dice.choice(self._names(blow.part))
        pid = self.yard.fleet.signal(name, signal.SIGKILL)
        return self._dead(blow, name, pid, "SIGKILL", time.monotonic())

    def _names(self, part: str) -> Sequence[str]:
        names = [one.name for one in self.yard.fleet.replicas]
        return [name for name in names if part in name.split("-")]

    def _at_place(self, blow: Blow) -> Death | None:
        service = service_of(self._names(blow.part)[0])
        cell = Cell(Point(blow.place, service, "calls"), "kill")
        strike = Strike(cell, blow.nth, 0.0)
        self.yard.laboratory.arm([strike])
        reached = strike.reached.wait(REACH_SECONDS)
        at = time.monotonic()
        self.yard.laboratory.disarm()
        if not reached or strike.at is None:
            return None
        return self._dead(blow, strike.at, strike.pid, blow.place, at)

    def _dead(self, blow: Blow, name: str, pid: int, how: str, at: float) -> Death:
        gone = wait_until(lambda: self.yard.fleet.pid(name) != pid, within=_DEATH_SECONDS)
        assert gone, f"{name} outlived a SIGKILL"
        return self.coroner.note(Death(blow.part, name, pid, how, at))
