"""Waiting for a fact with a deadline: the only waiting that tests do."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar, overload

T = TypeVar("T")

STEP_SECONDS = 0.03


@overload
async def eventually(
    fact: Callable[[], Coroutine[Any, Any, T]], within: float = 10.0, *, what: str = ""
) -> T: ...
@overload
async def eventually(fact: Callable[[], T], within: float = 10.0, *, what: str = "") -> T: ...
async def eventually(fact: Callable[[], Any], within: float = 10.0, *, what: str = "") -> Any:
    """Ask until the answer is true, and return it; fail with the last answer after `within` s.

    An AssertionError counts as "not yet", so a block of asserts can be asked too: it is a fact once
    it returns without one (None is then an answer).
    """
    deadline = time.monotonic() + within
    while True:
        try:
            answer = fact()
            value = await answer if inspect.isawaitable(answer) else answer
            if value or value is None:
                return value
            said = f"the last answer was {value!r}"
        except AssertionError as error:
            said = str(error) or "its assertion failed"
        if time.monotonic() >= deadline:
            raise AssertionError(f"{what or 'it'} did not happen within {within:g} s: {said}")
        await asyncio.sleep(STEP_SECONDS)


async def within(seconds: float, work: Awaitable[T]) -> T:
    """The work's result; the test fails if it takes longer."""
    async with asyncio.timeout(seconds):
        return await work
