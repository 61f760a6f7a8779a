"""Everything at once, for a while: processes, servers and links struck while campaigns go on."""

from __future__ import annotations

import random
from typing import Final

import pytest
from tests.faults.matrix import Theatre
from tests.faults.nemesis import NEMESES
from tests.faults.plan import SETTINGS
from tests.faults.storm import Blow, shrunk, storm

pytestmark = pytest.mark.timeout(900)
TOGETHER: Final = 6  # nemeses of one storm
ROUND: Final = -(-len(NEMESES) // TOGETHER)  # storms until each nemesis was there once
SHORT: Final = 2 * ROUND
BRIEF: Final = 4  # nemeses of a storm that `make test` plays
FIXED: Final = 20_261_124
LONG: Final = 10 * ROUND
STORMS: Final = SETTINGS.storms or (LONG if SETTINGS.long else SHORT)


def seed_of(turn: int) -> int:
    """The first round of storms is always the same; what comes after it is by the dice."""
    return FIXED if turn == 0 else SETTINGS.seed


def blows_of(seed: int, number: int) -> list[Blow]:
    """The nemeses of a storm: all of them come in turn, in an order of the seed's."""
    turn, part = divmod(number, ROUND)
    names = sorted(NEMESES)
    random.Random(f"{seed}:{turn}").shuffle(names)
    return [Blow(at, n) for at, n in enumerate(names[part * TOGETHER : (part + 1) * TOGETHER])]


def storms() -> list[tuple[str, list[Blow]]]:
    """Which are played: as many as the form has, or the one that is asked for by what it told."""
    if SETTINGS.storm:
        seed, number, places = SETTINGS.storm.split(":")
        wanted = {int(place) for place in places.split("+") if place != "none"}
        blows = blows_of(int(seed), int(number))
        return [(f"{seed}:{number}", [blow for blow in blows if blow.place in wanted])]
    numbers = [0, ROUND] if SETTINGS.brief else range(STORMS)  # one that is fixed, one that is not
    seeds = [(seed_of(number // ROUND), number) for number in numbers]
    most = BRIEF if SETTINGS.brief else TOGETHER
    return [(f"{seed}:{number}", blows_of(seed, number)[:most]) for seed, number in seeds]


@pytest.mark.skipif(SETTINGS.only not in "storm", reason="ONLY names something else")
@pytest.mark.parametrize("number", range(len(storms())))
def test_after_a_storm_it_adds_up(theatre: Theatre, number: int) -> None:
    seed, blows = storms()[number]
    weather = storm(theatre, blows, seed)
    if weather.problems and len(blows) > 1:
        weather = shrunk(theatre, weather)
    assert not weather.problems, weather.told()
