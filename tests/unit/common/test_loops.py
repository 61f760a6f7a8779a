"""Loops: they go on, they wait, and they end between two ticks."""

from __future__ import annotations

import asyncio
import time

from trunkline_common.db.wake import Flag
from trunkline_common.loops import Stop, backoff, work_loop
from trunkline_common.outcomes import TryLater


async def test_a_loop_works_until_there_is_nothing_and_then_waits_for_its_flag() -> None:
    stop, flag, looked = Stop(), Flag(), asyncio.Event()
    left = [3]

    async def tick() -> bool:
        if left[0] == 0:
            looked.set()
            return False
        left[0] -= 1
        return True

    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        tasks.create_task(work_loop("test", tick, stop=stop, flag=flag, idle=60))
        await looked.wait()
        assert left == [0]
        left[0] = 1
        looked.clear()
        flag.ring()
        await looked.wait()
        assert left == [0]
        stop.set()  # an idle loop ends at once, not after its minute


async def test_a_tick_that_raises_never_ends_the_loop() -> None:
    stop, passed = Stop(), []

    async def tick() -> bool:
        passed.append(time.monotonic())
        if len(passed) < 3:
            raise (KeyError("bug") if len(passed) == 1 else TryLater("away"))
        stop.set()
        return False

    async with asyncio.timeout(5):
        await work_loop("test", tick, stop=stop)
    assert len(passed) == 3
    assert passed[1] - passed[0] >= 0.2  # it backed off


async def test_a_ring_while_looking_is_not_lost() -> None:
    stop, flag, looks = Stop(), Flag(), []

    async def tick() -> bool:
        looks.append(1)
        if len(looks) == 1:
            flag.ring()  # somebody committed while we looked at the old rows
        else:
            stop.set()
        return False

    async with asyncio.timeout(5):
        await work_loop("test", tick, stop=stop, flag=flag, idle=60)
    assert len(looks) == 2


def test_backoff_grows_and_is_bounded() -> None:
    assert all(0.2 <= backoff(1) <= 0.4 for _ in range(50))
    assert all(7.5 <= backoff(99) <= 15 for _ in range(50))


async def test_who_has_waited_is_not_remembered_and_who_waits_on_the_same_bell_is() -> None:
    stop, flag = Stop(), Flag()
    async with asyncio.TaskGroup() as group:
        group.create_task(stop.wait_or_ring(flag, 30))
        await stop.wait_or_ring(flag, 0)
        stop.set()
    flag.clear()
    stop.set()
    assert not await flag.wait(0)
