"""What is said of a call, permuted, repeated, early and late: one state, a hundred thousand times.

The orders are folded in tables of their own, in batches; then some thousand calls of a provider
that repeats, shuffles, hurries and delays what it says go through the API.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Final

from tests.faults.long.crowd import Crowd
from tests.faults.long.results import Result
from tests.faults.long.tellings import Batch, tell
from tests.faults.long.yard import Yard
from tests.integration.outbound.scene import Scene

from trunkline_common.db import Database, open_database
from trunkline_common.db.roles import app_role, bootstrap
from trunkline_dev.stack import Stack
from trunkline_dev.stack.preparation import migrate

ROUNDS: Final = 10


@dataclass(frozen=True, slots=True)
class Form:
    """Permutations of one round, in batches, and calls through the API after all rounds."""

    permutations: int = 10_000
    batch: int = 500
    rounds: int = ROUNDS
    calls: int = 4_000


FULL: Final = Form()
SHORT: Final = Form(permutations=100, batch=50, rounds=1, calls=40)


def play(yard: Yard, result: Result, form: Form = FULL) -> None:
    """Both ways."""
    left = range(len(result.rounds), form.rounds)
    if left:
        layout = yard.stack.layout
        owner = layout.servers.postgres_url
        tables = _apart(yard.stack)
        asyncio.run(bootstrap(owner, tables.database, layout.credentials.passwords))
        migrate(tables, "outbound")
    for number in left:
        url = _apart(yard.stack).database_url(app_role("outbound"))
        result.add(*asyncio.run(_round(url, form, result.dice(number))))
    if len(result.rounds) == form.rounds:
        result.add(*_through_the_api(yard, form, result.dice(form.rounds)))
    told = Counter[str]()
    for each in result.rounds:
        told.update({name: each[name] for name in ("permutations", "distinct", "said", "calls")})
    result.figures = dict(told)


def _apart(stack: Stack) -> Any:
    """The places of a stack whose database nobody else works on."""
    options = replace(stack.layout.options, instance=f"{stack.layout.options.instance}-tables")
    return replace(stack.layout, options=options)


@asynccontextmanager
async def _scene(url: str) -> AsyncIterator[Scene]:
    async with open_database(url, application="faults", pool_size=4) as database:
        yield await _ready(database)


async def _ready(database: Database) -> Scene:
    scene = Scene(database, concurrent=10_000)
    await scene.open_channel()
    return scene


async def _round(url: str, form: Form, dice: Random) -> tuple[dict[str, Any], list[str]]:
    orders: set[object] = set()
    problems: list[str] = []
    said = 0
    async with _scene(url) as scene:
        for _ in range(form.permutations // form.batch):
            batch = Batch.drawn(form.batch, dice)
            problems += await tell(scene, batch)
            orders |= set(batch.orders())
            said += batch.said()
    figures = {
        "permutations": form.permutations,
        "distinct": len(orders),
        "said": said,
        "calls": 0,
    }
    return figures, problems[:20]


def _through_the_api(yard: Yard, form: Form, dice: Random) -> tuple[dict[str, Any], list[str]]:
    crowd = Crowd.gather(yard.stack, "voice", form.calls, first=800_000)
    for kind, probability, more in (
        ("callbacks_repeated", 0.5, {"copies": 3}),
        ("callbacks_shuffled", 0.5, {"milliseconds": 1_500}),
        ("callbacks_early", 0.3, {}),
        ("callbacks_delayed", 0.2, {"seconds": 3.0}),
    ):
        crowd.order(kind, probability=probability, seed=dice.randrange(10**6), **more)
    yard.witness.look()
    yard.witness.forget()
    campaign = crowd.begin()
    problems = yard.judge([campaign])
    said = sum(line["kind"] == "callback" for line in yard.witness.lines)
    yard.witness.forget()
    return {"permutations": 0, "distinct": 0, "said": said, "calls": form.calls}, problems
