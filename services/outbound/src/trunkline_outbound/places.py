"""Places: how many requests one dispatcher may have admitted, and how many with providers."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

AHEAD_SECONDS: Final = 0.1  # what is admitted ahead of its lane has it within about this
TEMPO_SECONDS: Final = 0.25  # over which the tempo of late is taken


class Lanes:
    """A bounded number of requests with providers at a time, first come first served.

    `ahead` is how many more may be admitted, so that a lane that falls free is not empty while
    the next intents commit. It follows the tempo: behind a slow provider nothing is admitted that
    would only wait.
    """

    def __init__(self, count: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._count = count
        self._clock = clock
        self._free = asyncio.Semaphore(count)
        self._per_second = 0.0
        self._as_of = clock()

    @asynccontextmanager
    async def lane(self) -> AsyncIterator[None]:
        """Have a lane for the length of the block."""
        async with self._free:
            try:
                yield
            finally:
                self._per_second = self._tempo() + 1 / TEMPO_SECONDS

    def ahead(self) -> int:
        """How many may be admitted that no lane is free for: what ends within AHEAD_SECONDS."""
        return min(self._count, int(self._tempo() * AHEAD_SECONDS))

    def _tempo(self) -> float:
        now = self._clock()
        passed, self._as_of = now - self._as_of, now
        self._per_second *= math.exp(-passed / TEMPO_SECONDS)
        return self._per_second


@dataclass(slots=True, eq=False)
class _Taker:
    """Somebody who waits until so many places are free."""

    least: int
    enough: asyncio.Future[None]


class Places:
    """A bounded number of places, taken by the handful; `ahead` says how many more there are now.

    Requests end one by one; a taker that went with the first free place would commit an intent
    for every single one of them. So it waits a little for company. First come, first served.
    """

    def __init__(self, count: int, ahead: Callable[[], int] = lambda: 0) -> None:
        self._count = count
        self._ahead = ahead
        self._taken = 0
        self._takers: deque[_Taker] = deque()

    @property
    def free(self) -> int:
        """How many nobody has."""
        return max(0, self._count + self._ahead() - self._taken)

    def waits(self, takers: int) -> bool:
        """Whether so many wait to be served."""
        return len(self._takers) == takers

    async def take(self, most: int, *, least: int, patience: float) -> int:
        """Take up to `most`: as soon as `least` are free, or after `patience` seconds any."""
        if self._takers or self.free < least:
            await self._gather(least, patience)
        taken = min(most, self.free)
        self._taken += taken
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
            if self.free >= first.least and not first.enough.done():
                first.enough.set_result(None)

    def give_back(self, count: int = 1) -> None:
        """Return places."""
        self._taken -= count
        self._look()
