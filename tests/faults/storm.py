"""A storm: campaigns under way, one nemesis after the other, then calm, and the judge."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from tests.faults.judge import gather, violations
from tests.faults.matrix import Theatre
from tests.faults.nemesis import NEMESES
from tests.faults.points import Stage
from tests.faults.scene import Scene
from tests.faults.shrink import shortest
from tests.faults.stages import Campaign

# A provider that misbehaves for a while, beside what the stages order for single numbers. Not
# among them: `reject`, after which a contact has its end, and is not to be tried again.
WEATHER: Final[tuple[dict[str, object], ...]] = (
    {"kind": "rate_limit", "probability": 0.2, "times": 2},
    {"kind": "rate_limit", "times": 12},  # a storm of them: nobody is let through for a while
    {"kind": "accept_never_answer", "probability": 0.1, "times": 2},
    {"kind": "accept_then_reset", "probability": 0.1, "times": 2},
    {"kind": "error_before_accept", "probability": 0.1, "times": 2},
    {"kind": "error_after_accept", "probability": 0.1, "times": 2},
    {"kind": "slow_body", "probability": 0.2, "times": 4, "seconds": 0.5},
    {"kind": "delay_answer", "probability": 0.2, "times": 6, "milliseconds": 400},
    {"kind": "list_lag", "times": 4, "seconds": 0.5},
    {"kind": "callbacks_lost", "probability": 0.3, "times": 4},
    {"kind": "callbacks_repeated", "probability": 0.3, "times": 8},
    {"kind": "callbacks_shuffled", "probability": 0.3, "times": 8, "milliseconds": 800},
    {"kind": "callbacks_delayed", "probability": 0.3, "times": 4, "seconds": 2.0},
    {"kind": "callbacks_early", "probability": 0.2, "times": 4},
    {"kind": "callbacks_forged", "probability": 0.2, "times": 4},
)
MOST_PLAYS: Final = 14  # of a storm that failed, to find out what of it is needed
STAGES: Final[tuple[Stage, ...]] = ("calls", "messages", "doubts")


@dataclass(frozen=True, slots=True)
class Blow:
    """One nemesis at its place in a storm: its dice are its own, whoever else is left out."""

    place: int
    name: str


@dataclass(slots=True)
class Weather:
    """What came of one storm."""

    seed: str
    blows: Sequence[Blow]
    struck: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    contacts: int = 0
    seconds: float = 0.0  # from the last healing until nothing was under way
    least: Weather | None = None  # the fewest nemeses of it that fail still

    def __str__(self) -> str:
        struck = ", ".join(self.struck)
        calm = f"calm after {self.seconds:.0f} s"
        return f"storm {self.seed}: {self.contacts} contacts, {calm}; {struck}"

    def told(self) -> str:
        """For whoever has to find out why, and how to see it again."""
        lines = ["", *self.problems, *(f"  {one}" for one in self.struck)]
        if self.least is not None:
            lines.append(f"shortest that fails, {len(self.least.blows)} of {len(self.blows)}:")
            lines += [f"  {one}" for one in (*self.least.struck, *self.least.problems)]
        places = "+".join(str(blow.place) for blow in (self.least or self).blows) or "none"
        return "\n".join([*lines, f"again: make faults ONLY=storm STORM={self.seed}:{places}"])


STORMS: Final[list[Weather]] = []  # that were played, for the summary


def storm(theatre: Theatre, blows: Sequence[Blow], seed: str) -> Weather:
    """Campaigns with these nemeses between; what the judge says when all is healed.

    Without any, there is one campaign of each stage.
    """
    weather = Weather(seed, blows)
    STORMS.append(weather)
    campaigns: list[Campaign] = []
    for place, blow in enumerate(blows or [None] * len(STAGES)):
        at = place if blow is None else blow.place
        dice = random.Random(f"{seed}:{at}")
        stage = STAGES[at % len(STAGES)]
        _provider(theatre, stage, dice)
        campaigns.append(theatre.actors[stage].begin())
        if blow is not None:
            weather.struck.append(f"{blow.name}: {NEMESES[blow.name](Scene(theatre, dice))}")
    theatre.fleet.await_ready()
    healed = time.monotonic()
    weather.problems = theatre.stuck(campaigns)
    weather.seconds = time.monotonic() - healed
    for evidence in gather(theatre.records, campaigns):
        weather.problems += violations(evidence)
        weather.contacts += len(evidence.campaign.audience)
    theatre.forgive(weather.problems)
    return weather


def shrunk(theatre: Theatre, weather: Weather) -> Weather:
    """A storm that failed, with the fewest of its nemeses that fail still."""
    failed: dict[tuple[Blow, ...], Weather] = {}

    def fails(blows: Sequence[Blow]) -> bool:
        again = storm(theatre, blows, weather.seed)
        if again.problems:
            failed[tuple(blows)] = again
        return bool(again.problems)

    weather.least = failed.get(tuple(shortest(weather.blows, fails, most=MOST_PLAYS)))
    return weather


def _provider(theatre: Theatre, stage: Stage, dice: random.Random) -> None:
    """Something that the provider does to this stage's account, a bounded number of times."""
    order = dict(dice.choice(WEATHER))
    actor = theatre.actors[stage]
    account = next(iter(actor.customer.accounts.values())).account
    order |= {"account": account, "seed": dice.randrange(10**6)}
    theatre.stack.sandbox().post("/sandbox/faults", order)
