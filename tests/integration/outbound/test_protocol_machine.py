"""The whole protocol as a game on real tables: any order of steps, every invariant after each.

Three workers, two businesses, a provider whose log is the witness, people with controls. A step is
a transaction of the service, or several at the same moment. At the end everything is driven to
rest: every job final with a reason, no claim, slot or reserved number left, and all sums right.

`TRUNKLINE_MACHINE=long` plays for many minutes, from new dice each time. A failure prints the steps
that lead to it. What it catches of code that is broken on purpose: docs/models.md.
"""

from __future__ import annotations

import asyncio

import pytest
from hypothesis.stateful import run_state_machine_as_test
from tests.integration.outbound.dice import LONG, LONG_GAMES, SHORT_GAMES, Protocol

from trunkline_common.db import Database


@pytest.mark.timeout(7200 if LONG else 600)
async def test_every_invariant_holds_after_every_step(outbound_database: Database) -> None:
    class Played(Protocol):
        database = outbound_database
        loop = asyncio.get_running_loop()

    games = LONG_GAMES if LONG else SHORT_GAMES
    await asyncio.to_thread(run_state_machine_as_test, Played, settings=games)
