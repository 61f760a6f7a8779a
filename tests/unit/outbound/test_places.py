"""Places in flight: taken by the handful, first come first served, and none is lost."""

from __future__ import annotations

import asyncio

import pytest

from trunkline_common.testing import eventually
from trunkline_outbound.places import Places

PATIENCE = 30.0  # longer than any test


async def taking(places: Places, most: int, least: int, patience: float = PATIENCE) -> int:
    async with asyncio.timeout(10):
        return await places.take(most, least=least, patience=patience)


async def test_what_is_free_is_taken_at_once() -> None:
    places = Places(10)
    assert await taking(places, 4, 3) == 4
    assert await taking(places, 50, 6) == 6
    assert places.free == 0


async def test_a_handful_is_waited_for() -> None:
    places = Places(5)
    await taking(places, 5, 1)
    async with asyncio.TaskGroup() as group:
        taker = group.create_task(taking(places, 5, 3))
        places.give_back()
        places.give_back()
        await eventually(lambda: places.waits(1))
        assert not taker.done()
        places.give_back()
    assert taker.result() == 3


async def test_patience_ends_with_any_place_at_all() -> None:
    places = Places(5)
    await taking(places, 3, 1)
    assert await taking(places, 5, 5, patience=0.01) == 2
    async with asyncio.TaskGroup() as group:
        taker = group.create_task(taking(places, 5, 5, patience=0.01))
        places.give_back(0)
        await eventually(lambda: places.waits(1))
        assert not taker.done()
        places.give_back()
    assert taker.result() == 1


async def test_takers_are_served_in_the_order_they_came() -> None:
    places = Places(4)
    await taking(places, 4, 1)
    served: list[str] = []

    async def take(name: str, least: int) -> None:
        await taking(places, 2, least)
        served.append(name)

    async with asyncio.TaskGroup() as group:
        group.create_task(take("first", 2))
        group.create_task(take("second", 1))
        await eventually(lambda: places.waits(2))
        places.give_back()  # enough for the second, who came later
        assert not served
        places.give_back(2)
    assert served == ["first", "second"]


@pytest.mark.parametrize("called", [False, True])
async def test_one_who_leaves_takes_no_place_along(called: bool) -> None:
    places = Places(2)
    await taking(places, 2, 1)
    async with asyncio.TaskGroup() as group:
        gone = group.create_task(taking(places, 2, 2))
        stays = group.create_task(taking(places, 2, 1))
        await eventually(lambda: places.waits(2))
        if called:
            places.give_back(2)  # it is called, and cancelled before it hears of it
        gone.cancel()
        if not called:
            places.give_back(2)
    assert stays.result() == 2
    assert gone.cancelled()
