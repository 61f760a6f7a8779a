"""A lost race is run again, a bounded number of times; other failures are told at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from prometheus_client import REGISTRY

from trunkline_common.db.retry import TRIES, retried


class Refused(Exception):
    """What the server said."""

    def __init__(self, sqlstate: str) -> None:
        super().__init__(sqlstate)
        self.sqlstate = sqlstate


def counted(what: str) -> float:
    name = "trunkline_transactions_retried_total"
    return REGISTRY.get_sample_value(name, {"what": what}) or 0.0


def losing(calls: list[str], *states: str) -> Callable[[], Awaitable[str]]:
    """Work that fails with these, one after the other, and then succeeds."""

    async def work() -> str:
        calls.append("tried")
        if len(calls) <= len(states):
            raise Refused(states[len(calls) - 1])
        return "done"

    return work


@pytest.mark.parametrize("state", ["40P01", "40001", "55P03"])
async def test_a_lost_race_is_run_again_and_counted(state: str) -> None:
    before, calls = counted("test"), list[str]()
    assert await retried("test", losing(calls, state)) == "done"
    assert (len(calls), counted("test") - before) == (2, 1)


async def test_who_always_loses_is_told_so() -> None:
    calls: list[str] = []
    with pytest.raises(Refused):
        await retried("test", losing(calls, *["40P01"] * 10))
    assert len(calls) == TRIES


@pytest.mark.parametrize("state", ["57P01", "23505", ""])
async def test_what_may_have_committed_or_would_fail_again_is_not_repeated(state: str) -> None:
    calls: list[str] = []
    with pytest.raises(Refused):
        await retried("test", losing(calls, state))
    assert len(calls) == 1
