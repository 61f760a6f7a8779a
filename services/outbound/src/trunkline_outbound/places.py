"""Places in flight: how many requests one dispatcher may have with providers at a time."""

from __future__ import annotations

import asyncio


class Places:
    """A bounded number of places, taken by the handful.

    Requests end one by one; a taker that went with the first free place would commit an intent
    for every single one of them. So it waits a little for company.
    """

    def __init__(self, count: int) -> None:
        self._free = count
        self._freed = asyncio.Condition()

    @property
    def free(self) -> int:
        """How many nobody has."""
        return self._free

    async def take(self, most: int, *, least: int, patience: float) -> int:
        """Take up to `most`: as soon as `least` are free, or after `patience` seconds any."""
        async with self._freed:
            try:
                async with asyncio.timeout(patience):
                    await self._freed.wait_for(lambda: self._free >= least)
            except TimeoutError:
                await self._freed.wait_for(lambda: self._free >= 1)
            taken = min(most, self._free)
            self._free -= taken
            return taken

    async def give_back(self, count: int = 1) -> None:
        """Return places."""
        if count:
            async with self._freed:
                self._free += count
                self._freed.notify_all()
