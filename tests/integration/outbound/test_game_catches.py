"""The game's own test: of code that breaks one rule of the protocol it must say so, and which.

Each break has its shortest game here, played twice: nothing is said of the code as it is, and the
oracle named speaks once the rule is left out. `TRUNKLINE_MACHINE=long` also rolls the dice: each
break is played until it is found, in at most a hundred games (docs/models.md has the table).
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from sqlalchemy.exc import IntegrityError
from tests.integration.outbound.dice import LONG, SHORT_GAMES, Protocol
from tests.integration.outbound.game import Game
from tests.integration.outbound.moves import MOVES
from tests.integration.outbound.planting import Plant
from tests.integration.outbound.plants import PLANTS

from trunkline_common.db import Database
from trunkline_dev.checkout import checkout_root

T = TypeVar("T")
PAGE: Final = checkout_root() / "docs" / "models.md"


async def play(database: Database, plant: Plant) -> None:
    game = Game(database)
    game.is_slow = plant.is_slow
    game.rounds = 4
    await game.set_up()
    for word, one, two in plant.game:
        _, _, move = MOVES[word]
        await move(game, one, two)
        await game.watch.look()
    if plant.is_stuck:
        await game.to_rest()


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.name)
async def test_a_rule_left_out_is_noticed(
    plant: Plant, outbound_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for swap in plant.swaps:
        swap.apply(monkeypatch)
    with pytest.raises((AssertionError, IntegrityError), match=plant.oracle):
        await play(outbound_database, plant)


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.name)
async def test_with_it_nothing_is_said(plant: Plant, outbound_database: Database) -> None:
    await play(outbound_database, plant)


def test_the_page_has_each() -> None:
    """Every break is in the table, with what it is seen as, and nothing else is."""
    _, _, section = PAGE.read_text().partition("| left out | seen as |")
    table, _, _ = section.partition("\n\n")
    names = [line.split(" | ")[0].removeprefix("| ") for line in table.splitlines()[2:]]
    assert names == [plant.name for plant in PLANTS]


FOUND: Final = [plant for plant in PLANTS if not plant.is_rare]
MOST_GAMES: Final = 60
ROLLED: Final = settings(SHORT_GAMES, max_examples=MOST_GAMES, phases=[Phase.generate])


@pytest.mark.skipif(not LONG, reason="TRUNKLINE_MACHINE=long rolls the dice, for many minutes")
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("plant", FOUND, ids=lambda plant: plant.name)
async def test_the_dice_find_it(
    plant: Plant, outbound_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for swap in plant.swaps:
        swap.apply(monkeypatch)
    games, said = 0, list[tuple[int, str]]()

    class Played(Protocol):
        database = outbound_database
        loop = asyncio.get_running_loop()

        def __init__(self) -> None:
            nonlocal games
            games += 1
            super().__init__()

        def do(self, work: Coroutine[Any, Any, T]) -> T:
            try:
                return super().do(work)
            except Exception as error:
                said.append((games, str(error).splitlines()[0]))
                raise

    # Where several things happen at once, a game is not always the same when it is played again.
    with pytest.raises((AssertionError, IntegrityError, ExceptionGroup)):
        await asyncio.to_thread(run_state_machine_as_test, Played, settings=ROLLED)
    game, words = said[0]
    sys.stdout.write(f"| {plant.name} | {words} | {game} |\n")
