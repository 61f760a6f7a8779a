"""The fabric's rules, each left out by hand: its game must say what is lost or applied twice."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import pytest
from tests.integration.common import fabric_games as games
from tests.integration.common.parts import declared
from tests.integration.outbound.planting import Swap

from trunkline_common.broker import batches, consumer, relay
from trunkline_common.db import Database, inbox
from trunkline_common.testing import Broker
from trunkline_dev.checkout import checkout_root

Game = Callable[[Database, Broker], Awaitable[None]]


@dataclass(frozen=True)
class Plant:
    """One rule left out, its game, and what is said of it."""

    name: str
    swap: Swap
    game: Game
    said: str


_ACKNOWLEDGED: Final = """\
    async with broker_call():
        await max(taken, key=tag_of).settle_up_to()
"""
_EFFECT: Final = """\
    if not await self._applied(batch):
        return  # stopping while the database is away: the broker delivers them again
    failpoint("consumer.applied")
    fates = [(delivery, self._fate(delivery)) for delivery in batch]
    await self._park([(d, s) for d, s in fates if not isinstance(s, Done)])
    # INVARIANT: acknowledged last. Batches are taken in order of delivery, so the last tag
    # covers this batch and what is settled already, and nothing else.
"""
PLANTS: Final = (
    Plant(
        "an inbox that lets everything in",
        Swap(inbox, "enter", "return set(rows.scalars())", "return set(event_ids)"),
        games.said_again,
        "twice: ",
    ),
    Plant(
        "a second copy in one batch is applied as well",
        Swap(
            batches,
            "Batches._fill",
            "event_id not in fresh or ids[event_id] is not delivery",
            "event_id not in fresh",
        ),
        games.said_twice_at_once,
        "twice: ",
    ),
    Plant(
        "the inbox keeps the row of a failed handler",
        Swap(inbox, "leave", "if event_ids:", "if False:"),
        games.failed_among_others,
        "lost: ",
    ),
    Plant(
        "a delivery is acknowledged before its effect commits",
        Swap(
            consumer,
            "Consumer._work",
            _EFFECT + _ACKNOWLEDGED,
            _ACKNOWLEDGED + _EFFECT,
        ),
        games.killed_at_work,
        "lost: ",
    ),
    Plant(
        "the relay selects by position instead of by state",
        Swap(
            relay,
            "_CLAIM",
            "WHERE sent_at IS NULL",
            "WHERE position > (SELECT coalesce(max(position), 0) FROM outbox"
            " WHERE sent_at IS NOT NULL)",
        ),
        games.committed_late,
        "lost: ",
    ),
    Plant(
        "the relay marks what it has claimed, and not what was confirmed",
        Swap(relay, "_CLAIM", "SET claimed_until", "SET sent_at = now(), claimed_until"),
        games.died_with_a_claim,
        "lost: ",
    ),
)


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.name)
async def test_a_rule_left_out_is_noticed(
    plant: Plant, database: Database, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    await declared(broker)
    plant.swap.apply(monkeypatch)
    with pytest.raises(AssertionError, match=plant.said):
        await plant.game(database, broker)


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.name)
async def test_with_it_nothing_is_said(plant: Plant, database: Database, broker: Broker) -> None:
    await declared(broker)
    await plant.game(database, broker)


def test_the_page_has_each() -> None:
    page = (checkout_root() / "docs" / "models.md").read_text()
    missing = [plant.name for plant in PLANTS if f"| {plant.name} |" not in page]
    assert not missing
