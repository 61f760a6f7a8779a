"""Messaging's protocol as a game on real tables: any order of steps, every invariant after each.

Never twice (an answer that is lost, a status that comes before it, a sender that stalls), nothing
after a cancel or an opt-out, replies before broadcasts. `TRUNKLINE_MACHINE=long` plays for minutes.
The game is tested, too: each rule that is left out by hand must be objected to.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from typing import Any, Final

import aiohttp
import pytest
from hypothesis import HealthCheck, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from sqlalchemy.exc import IntegrityError
from tests.integration.messaging.game import MOVES, WORDS, Game
from tests.integration.messaging.oracles import look, look_at_rest
from tests.integration.outbound.dice import DICE, LONG
from tests.integration.outbound.planting import Plant, Swap, one

from trunkline_common.db import Database
from trunkline_messaging import consumer, horizons, intents
from trunkline_messaging.domain import progress
from trunkline_messaging.store import sends

GAMES: Final = settings(
    max_examples=300 if LONG else 6,
    stateful_step_count=100 if LONG else 50,
    derandomize=not LONG,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)


class Messages(RuleBasedStateMachine):
    """A step is three dice; nothing drawn depends on what the database answered."""

    database: Database
    http: aiohttp.ClientSession
    loop: asyncio.AbstractEventLoop

    def __init__(self) -> None:
        super().__init__()
        self.game = Game(self.database, self.http)
        self.is_sound = False
        self.do(self.game.set_up())

    def do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout=60)

    @rule(which=st.integers(0, len(WORDS) - 1), one=DICE, two=DICE)
    def step(self, which: int, one: int, two: int) -> None:
        note(f"{WORDS[which]}, {one}, {two}")
        self.is_sound = False
        self.do(play(self.game, [(WORDS[which], one, two)]))
        self.is_sound = True

    def teardown(self) -> None:
        if self.is_sound:
            self.do(self.game.to_rest())
            self.do(look_at_rest(self.game))


async def play(game: Game, steps: Sequence[tuple[str, int, int]]) -> None:
    for word, first, second in steps:
        await MOVES[word][1](game, first, second)
        await look(game)


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(trust_env=False) as session:
        yield session


@pytest.mark.timeout(3600 if LONG else 300)
async def test_every_invariant_of_messages_holds_after_every_step(
    messaging_database: Database, http: aiohttp.ClientSession
) -> None:
    class Played(Messages):
        database = messaging_database
        loop = asyncio.get_running_loop()

    Played.http = http
    await asyncio.to_thread(run_state_machine_as_test, Played, settings=GAMES)


PLANTS: Final = (
    Plant(
        "a lost sender's message is queued again",
        one(horizons, "doubt_lost", 'Step("in_doubt", reason', 'Step("queued", reason'),
        r"I1 ",
        [("hand over", 1, 0), ("intend", 0, 0), ("lose", 0, 0)],
    ),
    Plant(
        "an answer that was lost is sent again",
        one(
            progress, "after_result", 'return Step("in_doubt", code', 'return Step("waiting", code'
        ),
        r"I1 ",
        [("hand over", 1, 0), ("intend", 0, 0), ("answer", 0, 1), ("write", 0, 0)],
    ),
    Plant(
        "a decision is not compared with the number of its request",
        one(progress, "after_result", " or standing.number != number"),
        r"I1 ",
        [
            *(("hand over", 1, 0), ("intend", 0, 0), ("answer", 0, 5), ("write", 0, 0)),
            *(("pass time", 0, 0), ("intend", 0, 0), ("write again", 0, 0)),
        ],
    ),
    Plant(
        "a status before the answer proves nothing",
        one(
            progress,
            "after_result",
            'if standing.state not in ("sending", "in_doubt") or standing.number != number',
            "if standing.number != number",
        ),
        r"I1 ",
        [
            *(("hand over", 1, 0), ("intend", 0, 0), ("answer", 0, 1), ("status", 0, 0)),
            *(("fold", 0, 0), ("write", 0, 0)),
        ],
    ),
    Plant(
        "a hand-over does not ask whether its run was cancelled",
        one(consumer, "on_run_message_due", "if is_shut:", "if is_shut is None:"),
        r"I4 nothing of a cancelled run waits",
        [("cancel", 0, 0), ("hand over", 0, 0)],
    ),
    Plant(
        "a cancel stops nothing that is here",
        one(consumer, "on_run_cancelling", "await gates.shut(", "[] and await gates.shut("),
        r"I4 ",
        [("hand over", 0, 0), ("cancel", 0, 0), ("intend", 0, 0)],
    ),
    Plant(
        "an intent does not ask who has opted out",
        one(intents, "commit_intents", "await _unsuppressed(session, channel, ours)", "ours"),
        r"opt-out: .* was granted to who had opted out",
        [("hand over", 1, 0), ("opt out", 0, 0), ("intend", 0, 0)],
    ),
    Plant(
        "replies wait their turn among broadcasts",
        (
            Swap(sends, "_PICK", "AND lane = 0\n", "AND false\n"),
            Swap(sends, "_PICK", "AND lane = 1 AND number = 0\n", "AND number = 0\n"),
        ),
        r"lanes: a broadcast went before",
        [("hand over", 1, 0), ("reply", 0, 1), ("intend", 0, 0)],
    ),
    Plant(
        "retries wait their turn among first passes",
        (
            Swap(sends, "_PICK", "AND lane = 1 AND number > 0\n", "AND false\n"),
            Swap(sends, "_PICK", "AND lane = 1 AND number = 0\n", "AND lane = 1\n"),
        ),
        r"lanes: a first pass went before",
        [
            *(("hand over", 1, 0), ("intend", 0, 0), ("hand over", 2, 1), ("answer", 0, 4)),
            *(("write", 0, 0), ("pass time", 0, 0), ("intend", 0, 0)),
        ],
    ),
)


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.name)
async def test_a_rule_of_messages_left_out_is_noticed(
    plant: Plant,
    messaging_database: Database,
    http: aiohttp.ClientSession,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    game = Game(messaging_database, http)
    await game.set_up()
    await play(game, plant.game)  # of the code as it is nothing is said
    game = Game(messaging_database, http)
    await game.set_up()
    for swap in plant.swaps:
        swap.apply(monkeypatch)
    with pytest.raises((AssertionError, IntegrityError), match=plant.oracle):
        await play(game, plant.game)
