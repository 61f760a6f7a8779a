"""A storm: campaigns under way, one nemesis after the other, then calm, and the judge."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from tests.faults.judge import gather, violations
from tests.faults.matrix import Theatre
from tests.faults.nemesis import NEMESES, Scene
from tests.faults.points import Stage
from tests.faults.stages import Campaign

# A provider that misbehaves for a while, beside what the stages order for single numbers.
WEATHER: Final[tuple[dict[str, object], ...]] = (
    {"kind": "rate_limit", "probability": 0.2, "times": 2},
    {"kind": "accept_never_answer", "probability": 0.1, "times": 2},
    {"kind": "error_before_accept", "probability": 0.1, "times": 2},
    {"kind": "callbacks_repeated", "probability": 0.3, "times": 8},
    {"kind": "callbacks_shuffled", "probability": 0.3, "times": 8, "milliseconds": 800},
    {"kind": "callbacks_early", "probability": 0.2, "times": 4},
    {"kind": "delay_answer", "probability": 0.2, "times": 6, "milliseconds": 400},
)
STAGES: Final[tuple[Stage, ...]] = ("calls", "messages", "doubts")


@dataclass(slots=True)
class Weather:
    """What came of one storm."""

    seed: str
    struck: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    contacts: int = 0
    seconds: float = 0.0  # from the last healing until nothing was under way

    def __str__(self) -> str:
        struck = ", ".join(self.struck)
        calm = f"calm after {self.seconds:.0f} s"
        return f"storm {self.seed}: {self.contacts} contacts, {calm}; {struck}"

    def told(self) -> str:
        """For whoever has to find out why, and how to see it again."""
        seed, _, number = self.seed.partition(":storm:")
        again = f"again: make faults SEED={seed} ONLY=storm STORMS={int(number) + 1}"
        return "\n".join(["", *self.problems, *(f"  {one}" for one in self.struck), again])


STORMS: Final[list[Weather]] = []  # that were played, for the summary


def storm(theatre: Theatre, names: Sequence[str], seed: str) -> Weather:
    """Campaigns with these nemeses between; what the judge says when all is healed."""
    dice = random.Random(seed)
    weather = Weather(seed)
    STORMS.append(weather)
    campaigns: list[Campaign] = []
    for at, name in enumerate(names):
        stage = STAGES[at % len(STAGES)]
        _provider(theatre, stage, dice)
        campaigns.append(theatre.actors[stage].begin())
        what = NEMESES[name](Scene(theatre, dice))
        weather.struck.append(f"{name}: {what}")
    theatre.fleet.await_ready()
    healed = time.monotonic()
    weather.problems = theatre.stuck(campaigns)
    weather.seconds = time.monotonic() - healed
    for evidence in gather(theatre.records, campaigns):
        weather.problems += violations(evidence)
        weather.contacts += len(evidence.campaign.audience)
    return weather


def _provider(theatre: Theatre, stage: Stage, dice: random.Random) -> None:
    """Something that the provider does to this stage's account, a bounded number of times."""
    order = dict(dice.choice(WEATHER))
    actor = theatre.actors[stage]
    account = next(iter(actor.customer.accounts.values())).account
    order |= {"account": account, "seed": dice.randrange(10**6)}
    theatre.stack.sandbox().post("/sandbox/faults", order)
