"""Turns at the turnstile, and runs that are left alone until it makes sense to ask them."""

from __future__ import annotations

import asyncio

import pytest

from trunkline_common.testing import eventually
from trunkline_outbound.turns import Pauses, Turns, Turnstile


async def test_a_newcomer_goes_before_whoever_has_many_in_line() -> None:
    turnstile = Turnstile(Turns(50, {}))
    passed: list[str] = []
    first = asyncio.Event()

    async def go(business: str) -> None:
        async with turnstile.turn(business) as turns:
            passed.append(business)
            turns.charge(business, 50)
            await first.wait()

    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        for business in "aaaab":
            group.create_task(go(business))
        await eventually(lambda: passed)
        first.set()
    assert passed == ["a", "b", "a", "a", "a"]


async def test_who_is_cancelled_in_line_blocks_nobody() -> None:
    turnstile = Turnstile(Turns(50, {}))
    passed: list[str] = []
    first = asyncio.Event()

    async def go(business: str) -> None:
        async with turnstile.turn(business):
            passed.append(business)
            await first.wait()

    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        tasks = [group.create_task(go(business)) for business in "abc"]
        await eventually(lambda: passed)
        tasks[1].cancel()
        first.set()
    async with asyncio.timeout(5), turnstile.turn("d"):
        passed.append("d")
    assert passed == ["a", "c", "d"]


def test_a_run_that_waits_for_room_is_asked_once_it_has_rung() -> None:
    pauses = Pauses()
    pauses.add("run", until=100.0, until_rung=True, rung=pauses.rung)
    assert pauses.holds("run", 50.0)
    pauses.ring()
    assert not pauses.holds("run", 50.0)


def test_a_run_that_waits_for_its_pace_is_not_asked_sooner_for_a_ring() -> None:
    pauses = Pauses()
    pauses.add("run", until=100.0, until_rung=False, rung=pauses.rung)
    pauses.ring()
    assert pauses.holds("run", 99.0)
    assert not pauses.holds("run", 100.0)


def test_what_rang_while_a_run_was_asked_is_not_lost() -> None:
    pauses = Pauses()
    before = pauses.rung
    pauses.ring()
    pauses.add("run", until=100.0, until_rung=True, rung=before)
    assert not pauses.holds("run", 50.0)


@pytest.mark.parametrize(("now", "end"), [(0.0, 10.0), (10.0, 20.0), (20.0, float("inf"))])
def test_the_next_end_is_one_that_has_not_come(now: float, end: float) -> None:
    pauses = Pauses()
    for until in (20.0, 10.0):
        pauses.add(f"run_{until}", until=until, until_rung=False, rung=pauses.rung)
    assert pauses.next_end(now) == end
