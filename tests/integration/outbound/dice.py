"""The protocol's game as dice: a machine for Hypothesis, and how long it is played."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from hypothesis import HealthCheck, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from tests.integration.outbound.game import Game
from tests.integration.outbound.moves import MOVES, possible

from trunkline_common.db import Database

T = TypeVar("T")

DICE: Final = st.integers(0, 11)


class Protocol(RuleBasedStateMachine):
    """A step is three dice: the first picks among the moves that make sense by then.

    Nothing that is drawn depends on what the database answered, so any failure can be replayed.
    """

    database: Database
    loop: asyncio.AbstractEventLoop

    def __init__(self) -> None:
        super().__init__()
        self.game = Game(self.database)
        self.is_sound = False  # nothing is driven to rest after something broke
        self.do(self.game.set_up())

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout=60)

    @initialize(policy=DICE, jobs=DICE, deaf=st.booleans(), slow=st.booleans())
    def begin(self, policy: int, jobs: int, deaf: bool, slow: bool) -> None:
        self.game.is_deaf, self.game.is_slow = deaf, slow
        self.do(self._play(self.game.start_run(policy, jobs)))

    @rule(which=st.integers(0, 999), one=DICE, two=DICE)
    def step(self, which: int, one: int, two: int) -> None:
        words = possible(self.game)
        word = words[which % len(words)]
        note(f"{word}, {one}, {two}")
        _, _, move = MOVES[word]
        self.do(self._play(move(self.game, one, two)))

    async def _play(self, move: Coroutine[Any, Any, None]) -> None:
        self.is_sound = False
        await move
        await self.game.watch.look()
        self.is_sound = True

    def teardown(self) -> None:
        if self.is_sound:
            self.do(self.game.to_rest())


LONG: Final = os.environ.get("TRUNKLINE_MACHINE") == "long"
SHORT_GAMES: Final = settings(
    max_examples=16,
    stateful_step_count=50,
    derandomize=True,
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)
LONG_GAMES: Final = settings(
    SHORT_GAMES, max_examples=500, stateful_step_count=120, derandomize=False
)
