"""Group commit: the small writes of many callers in as few transactions as their arrival allows."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from trunkline_common.db.faults import is_away

Item = TypeVar("Item")

MOST: Final = 200  # items of one write, so that nobody's statement grows without bound


@dataclass(slots=True, eq=False)
class _Waiting(Generic[Item]):
    """One caller's item; `turn` tells it that it is written (False), or to write (True)."""

    item: Item
    turn: asyncio.Future[bool] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class Together(Generic[Item]):
    """Writes what callers bring. While one write is under way, the next items gather behind it.

    `write` does all of its items or none, in a transaction of its own, and may be repeated with
    items it has written before. Who comes alone is written at once; where many come, writes begin
    `spacing` seconds apart at least, so that each has more of them. An item that spoils a write is
    told so alone, since the others are then written one by one; an absent database is everybody's
    failure at once.
    """

    def __init__(
        self, write: Callable[[Sequence[Item]], Awaitable[None]], *, spacing: float = 0.0
    ) -> None:
        self._write = write
        self._spacing = spacing
        self._next_at = 0.0  # on the loop's clock
        self._waiting: list[_Waiting[Item]] = []
        self._led = False

    @property
    def is_led(self) -> bool:
        """Whether somebody is writing, or about to."""
        return self._led

    async def add_all(self, items: Iterable[Item]) -> None:
        """Return once all are durable."""
        all_items = list(items)
        if len(all_items) == 1:
            await self.add(all_items[0])
            return
        async with asyncio.TaskGroup() as adding:
            for item in all_items:
                adding.create_task(self.add(item))

    async def add(self, item: Item) -> None:
        """Return once the item is durable, or raise what kept it from being so."""
        mine = _Waiting(item)
        self._waiting.append(mine)
        if not self._led:
            self._led = True
            mine.turn.set_result(True)
        try:
            leads = await mine.turn
        except asyncio.CancelledError:
            self._forget(mine)
            raise
        if leads:
            await self._lead(mine)

    def _forget(self, gone: _Waiting[Item]) -> None:
        if gone in self._waiting:
            self._waiting.remove(gone)
        if gone.turn.done() and not gone.turn.cancelled() and gone.turn.result():
            self._pass_on()

    def _pass_on(self) -> None:
        """Let the first who waits write next."""
        self._waiting = [one for one in self._waiting if not one.turn.done()]
        self._led = bool(self._waiting)
        if self._led:
            self._waiting[0].turn.set_result(True)

    async def _lead(self, mine: _Waiting[Item]) -> None:
        others: list[_Waiting[Item]] = []
        try:
            await self._keep_distance()
            batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
            others = [one for one in batch if one is not mine]
            await self._write([one.item for one in batch])
        except asyncio.CancelledError:
            self._waiting = [*others, *self._waiting]  # written or not, the next one writes them
            raise
        except Exception as error:
            if is_away(error) or isinstance(error, TimeoutError):  # it is nobody's item
                _failed(others, error)
                raise
            await self._singly(others)
            await self._write([mine.item])
        else:
            _told(others)
        finally:
            self._pass_on()

    async def _keep_distance(self) -> None:
        if self._spacing:
            loop = asyncio.get_running_loop()
            if (wait := self._next_at - loop.time()) > 0:
                await asyncio.sleep(wait)
            self._next_at = loop.time() + self._spacing

    async def _singly(self, others: Sequence[_Waiting[Item]]) -> None:
        for place, one in enumerate(others):
            try:
                await self._write([one.item])
            except asyncio.CancelledError:
                self._waiting = [*others[place:], *self._waiting]
                raise
            except Exception as error:  # noqa: BLE001 - its caller's to handle, in its own task
                _failed([one], error)
            else:
                _told([one])


def _told(written: Sequence[_Waiting[Item]]) -> None:
    for one in written:
        if not one.turn.done():
            one.turn.set_result(False)


def _failed(unwritten: Sequence[_Waiting[Item]], error: Exception) -> None:
    for one in unwritten:
        if not one.turn.done():
            one.turn.set_exception(error)
