"""Places in flight: how many requests one dispatcher may have with providers at a time."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass


@dataclass(slots=True, eq=False)
class _Taker:
    """Somebody who waits until so many places are free."""

    least: int
    enough: asyncio.Future[None]


class Places:
    """A bounded number of places, taken by the handful.

    Requests end one by one; a taker that went with the first free place would commit an intent
    for every single one of them. So it waits a little for company. First come, first served.
    """

    def __init__(self, count: int) -> None:
        self._free = count
        self._takers: deque[_Taker] = deque()

    @property
    def free(self) -> int:
        """How many nobody has."""
        return self._free

    def waits(self, takers: int) -> bool:
        """Whether so many wait to be served."""
        return len(self._takers) == takers

    async def take(self, most: int, *, least: int, patience: float) -> int:
        """Take up to `most`: as soon as `least` are free, or after `patience` seconds any."""
        if self._takers or self._free < least:
            await self._gather(least, patience)
        taken = min(most, self._free)
        self._free -= taken
        return taken

    async def _gather(self, least: int, patience: float) -> None:
        loop = asyncio.get_running_loop()
        mine = _Taker(least, loop.create_future())
        self._takers.append(mine)
        impatient = loop.call_later(patience, self._content, mine)
        try:
            await mine.enough
        finally:
            impatient.cancel()
            self._takers.remove(mine)
            # What is still free after us is the next one's, once we have taken ours.
            loop.call_soon(self._look)

    def _content(self, taker: _Taker) -> None:
        taker.least = 1
        self._look()

    def _look(self) -> None:
        """Call the first who waits, if there is enough for it."""
        if self._takers:
            first = self._takers[0]
            if self._free >= first.least and not first.enough.done():
                first.enough.set_result(None)

    def give_back(self, count: int = 1) -> None:
        """Return places."""
        self._free += count
        self._look()
