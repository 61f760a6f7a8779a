"""Writes that share a commit: all are written, each once, and only the guilty is told so."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from trunkline_common.db.together import MOST, Together
from trunkline_common.testing import facts


class Book:
    """Takes writes when it is let, and refuses what it is told to."""

    def __init__(self) -> None:
        self.writes: list[list[int]] = []
        self.begun: list[float] = []
        self.refused: dict[int, Exception] = {}
        self.open = asyncio.Event()
        self.entered = asyncio.Event()

    async def write(self, items: Sequence[int]) -> None:
        self.entered.set()
        self.begun.append(asyncio.get_running_loop().time())
        await self.open.wait()
        for item in items:
            if item in self.refused:
                raise self.refused[item]
        self.writes.append(list(items))

    @property
    def written(self) -> list[int]:
        return [item for write in self.writes for item in write]


class Callers:
    """Five callers by default: the first is being written, and the others wait behind it."""

    def __init__(self, book: Book, *, spacing: float = 0.0) -> None:
        self.book = book
        self.together = Together(book.write, spacing=spacing)
        self.tasks: list[asyncio.Task[None]] = []
        self.told: dict[int, Exception | None] = {}
        self.arrived = 0

    async def _add(self, item: int) -> None:
        self.arrived += 1
        try:
            await self.together.add(item)
        except (ValueError, ConnectionRefusedError) as error:
            self.told[item] = error
        else:
            self.told[item] = None

    async def call(self, count: int = 5, *, gone: int | None = None) -> None:
        async with asyncio.timeout(10), asyncio.TaskGroup() as group:
            for item in range(count):
                self.tasks.append(group.create_task(self._add(item)))
                await self.book.entered.wait()
            if gone is not None:
                await facts.eventually(lambda: self.arrived == count, what="all are in line")
                self.tasks[gone].cancel()
                await asyncio.wait([self.tasks[gone]])
            self.book.open.set()


async def test_who_comes_alone_is_written_at_once_and_the_others_together() -> None:
    callers = Callers(book := Book())
    await callers.call(5)
    assert book.writes == [[0], [1, 2, 3, 4]]


async def test_writes_of_many_keep_their_distance() -> None:
    callers = Callers(book := Book(), spacing=0.05)
    await callers.call(MOST + 3)
    assert [len(write) for write in book.writes] == [1, MOST, 2]
    first, second, third = book.begun
    assert second - first >= 0.05
    assert third - second >= 0.05


async def test_all_of_one_is_one_and_all_of_none_is_nothing() -> None:
    callers = Callers(book := Book())
    book.open.set()
    await callers.together.add_all([4])
    await callers.together.add_all([])
    await callers.together.add_all([5, 6])
    assert book.writes == [[4], [5], [6]]


async def test_one_who_leaves_while_the_distance_is_kept_takes_nobody_along() -> None:
    callers = Callers(Book(), spacing=30.0)
    await callers.call(1)
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(callers.together.add(1))
        await facts.eventually(lambda: callers.together.is_led)
        waiting.cancel()
    assert not callers.together.is_led


async def test_no_write_is_larger_than_the_most() -> None:
    callers = Callers(book := Book())
    await callers.call(2 * MOST + 2)
    assert [len(write) for write in book.writes] == [1, MOST, MOST, 1]
    assert sorted(book.written) == list(range(2 * MOST + 2))


async def test_only_the_one_that_spoils_a_write_is_told() -> None:
    callers = Callers(book := Book())
    refusal = book.refused[2] = ValueError("not this one")
    await callers.call(5)
    assert sorted(book.written) == [0, 1, 3, 4]
    assert callers.told == {0: None, 1: None, 2: refusal, 3: None, 4: None}


async def test_an_absent_database_fails_all_at_once_and_the_next_may_try() -> None:
    callers = Callers(book := Book())
    away = book.refused[3] = ConnectionRefusedError()
    await callers.call(5)
    assert book.writes == [[0]]
    assert callers.told == {0: None, 1: away, 2: away, 3: away, 4: away}
    await callers.together.add(7)
    assert book.writes == [[0], [7]]


@pytest.mark.parametrize("gone", [0, 1, 3])
async def test_one_who_leaves_takes_nobody_along(gone: int) -> None:
    callers = Callers(book := Book())
    await callers.call(4, gone=gone)
    stayed = {item: None for item in range(4) if item != gone}
    assert callers.told == stayed
    assert set(stayed) <= set(book.written)
    await callers.together.add(9)
    assert 9 in book.written
