"""Places and lanes: taken by the handful, first come first served, and none is lost."""

from __future__ import annotations

import asyncio

import pytest

from trunkline_common.testing import eventually
from trunkline_outbound.places import Lanes, Places

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


class Clock:
    """A clock that stands until it is set."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def flown(lanes: Lanes, clock: Clock, count: int, per_second: float) -> None:
    """So many requests, one after the other at this tempo."""
    for _ in range(count):
        async with lanes.lane():
            clock.now += 1 / per_second


async def test_no_more_than_the_lanes_fly_and_the_first_who_came_is_next() -> None:
    lanes = Lanes(2)
    flying: list[int] = []
    may_land = asyncio.Event()

    async def fly(number: int) -> None:
        async with lanes.lane():
            flying.append(number)
            await may_land.wait()

    async with asyncio.TaskGroup() as group:
        for number in range(5):
            group.create_task(fly(number))
        await eventually(lambda: len(flying) == 2)
        assert flying == [0, 1]
        may_land.set()
    assert flying == [0, 1, 2, 3, 4]


async def test_a_lane_is_free_again_after_whatever_happened_in_it() -> None:
    lanes = Lanes(1)
    with pytest.raises(ValueError, match="broken"):
        async with lanes.lane():
            raise ValueError("broken")
    async with asyncio.timeout(10), lanes.lane():
        pass


@pytest.mark.parametrize(("per_second", "ahead"), [(5, 0), (200, 20), (5_000, 100)])
async def test_as_much_is_admitted_ahead_as_soon_has_a_lane(per_second: int, ahead: int) -> None:
    clock = Clock()
    lanes = Lanes(100, clock)
    assert lanes.ahead() == 0  # nothing has ended yet: nobody knows how soon
    await flown(lanes, clock, 2 * per_second, per_second)
    assert lanes.ahead() == pytest.approx(ahead, abs=1)


async def test_behind_a_provider_that_stopped_answering_nothing_is_admitted() -> None:
    clock = Clock()
    lanes = Lanes(100, clock)
    await flown(lanes, clock, 2_000, 1_000)
    assert lanes.ahead() == pytest.approx(100, abs=1)
    clock.now += 2.0
    assert lanes.ahead() == 0


async def test_places_ahead_come_and_go() -> None:
    ahead = 3
    places = Places(2, lambda: ahead)
    assert await taking(places, 9, 5) == 5
    ahead = 0  # the tempo fell: nobody may come before as many have gone
    assert places.free == 0
    places.give_back(3)
    assert places.free == 0
    places.give_back()
    assert places.free == 1
