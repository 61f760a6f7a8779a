"""Everything at once, for a while: processes, servers and links struck while campaigns go on."""

from __future__ import annotations

import random
from typing import Final

import pytest
from tests.faults.matrix import Theatre
from tests.faults.nemesis import NEMESES
from tests.faults.plan import SETTINGS
from tests.faults.storm import storm

pytestmark = pytest.mark.timeout(900)
TOGETHER: Final = 6  # nemeses of one storm
ROUND: Final = len(NEMESES) // TOGETHER  # storms until each nemesis was there once
SHORT: Final = 2 * ROUND
FIXED: Final = 20_261_124
LONG: Final = 10 * ROUND
STORMS: Final = SETTINGS.storms or (LONG if SETTINGS.long else SHORT)


def seed_of(turn: int) -> int:
    """The first round of storms is always the same; what comes after it is by the dice."""
    return FIXED if turn == 0 else SETTINGS.seed


def chosen(number: int) -> list[str]:
    """The nemeses of a storm: all of them come in turn, in an order of the seed's."""
    turn, part = divmod(number, ROUND)
    names = sorted(NEMESES)
    random.Random(f"{seed_of(turn)}:{turn}").shuffle(names)
    return names[part * TOGETHER : (part + 1) * TOGETHER]


@pytest.mark.skipif(SETTINGS.only not in "storm", reason="ONLY names something else")
@pytest.mark.parametrize("number", range(STORMS))
def test_after_a_storm_it_adds_up(theatre: Theatre, number: int) -> None:
    weather = storm(theatre, chosen(number), f"{seed_of(number // ROUND)}:storm:{number}")
    assert not weather.problems, weather.told()
