"""Three nodes: killed, split and lossy while campaigns go on; nothing lost, nothing applied twice.

`make faults ONLY=cluster` alone plays this: it needs root on Linux, for networks of its own.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import pytest
from tests.faults.cluster_stage import ClusterStage
from tests.faults.judge import gather, violations
from tests.faults.partitions import SPLITS, Trial
from tests.faults.plan import SETTINGS
from tests.faults.stages import Campaign
from tests.faults.storm import STAGES, STORMS, Weather
from tests.faults.wires import refusal

from trunkline_dev.checkout import checkout_root

pytestmark = [
    pytest.mark.timeout(1800),
    pytest.mark.skipif(SETTINGS.only != "cluster", reason="`make faults ONLY=cluster` plays it"),
]
TOGETHER: Final = 3  # splits before the judge reads
ROUNDS: Final = len(SPLITS) // TOGETHER
BRIEF: Final = (4.0, 8.0)  # seconds of a split
CALM_SECONDS: Final = 300.0
EARNEST: Final = (10.0, 30.0)  # RabbitMQ's own
FIXED: Final = 20_261_125
STORIES: Final = SETTINGS.storms or (4 * ROUNDS if SETTINGS.long else ROUNDS)


@pytest.fixture(scope="module")
def stage() -> Iterator[ClusterStage]:
    """Three nodes and every process, once for all stories."""
    why = refusal(checkout_root() / ".local" / "nftables")
    if why is not None:
        pytest.skip(why)
    with ClusterStage.open(f"{SETTINGS.instance}-cluster") as opened:
        yield opened


@dataclass
class Story(Weather):
    """A storm of the cluster's: what was said in it, and how to see it again."""

    facts: tuple[int, int] = (0, 0)  # that left outboxes, and their applications, until now

    def __str__(self) -> str:
        return f"{super().__str__()}; {self.facts[0]} facts, applied {self.facts[1]} times"

    def told(self) -> str:
        seed, _, number = self.seed.split(":")
        again = f"again: make faults SEED={seed} ONLY=cluster STORMS={int(number) + 1}"
        return "\n".join(["", *self.problems, *(f"  {one}" for one in self.struck), again])


def chosen(number: int, seed: int) -> list[str]:
    """The splits of a story: all of them come in turn, in an order of the seed's."""
    turn, part = divmod(number, ROUNDS)
    names = sorted(SPLITS)
    random.Random(f"{seed}:{turn}").shuffle(names)
    return names[part * TOGETHER : (part + 1) * TOGETHER]


@pytest.mark.parametrize("number", range(STORIES))
def test_after_splits_and_kills_it_adds_up(stage: ClusterStage, number: int) -> None:
    seed = FIXED if number < ROUNDS and not SETTINGS.long else SETTINGS.seed
    weather = played(stage, chosen(number, seed), f"{seed}:cluster:{number}")
    assert not weather.problems, weather.told()


def played(stage: ClusterStage, names: list[str], seed: str) -> Story:
    """Campaigns of every kind beside each split; what the judge says when all is whole."""
    theatre, dice, weather = stage.theatre, random.Random(seed), Story(seed, ())
    STORMS.append(weather)
    campaigns: list[Campaign] = []
    for name in names:
        campaigns += [theatre.actors[one].begin() for one in STAGES]
        seconds = dice.choice(EARNEST if SETTINGS.long else BRIEF)
        mended = len(stage.cluster.mended)
        try:
            what = SPLITS[name](Trial(stage, dice, seconds))
        except AssertionError as error:
            what = f"{error}"
            weather.problems.append(what)
        by_hand = "".join(f", {one} restarted by hand" for one in stage.cluster.mended[mended:])
        weather.struck.append(f"{name} for {seconds:g} s: {what}{by_hand}")
    theatre.fleet.await_ready()
    healed = time.monotonic()
    weather.problems += theatre.stuck(campaigns, within=CALM_SECONDS)
    weather.seconds = time.monotonic() - healed
    for evidence in gather(theatre.records, campaigns):
        weather.problems += violations(evidence)
        weather.contacts += len(evidence.campaign.audience)
    theatre.forgive(weather.problems)
    weather.facts = theatre.records.facts()
    return weather
