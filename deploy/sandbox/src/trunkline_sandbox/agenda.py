"""What happens when: one heap of future actions, run by one loop, for every call and message."""

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable

Action = Callable[[], None]


class Agenda:
    """Future actions in order of time. A heap, so that a hundred thousand calls cost one task."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._heap: list[tuple[float, int, Action]] = []
        self._order = itertools.count()
        self._earlier = asyncio.Event()

    def after(self, seconds: float, action: Action) -> None:
        """Run `action` once, `seconds` from now; actions of one moment keep their order."""
        entry = (self._now() + max(seconds, 0.0), next(self._order), action)
        heapq.heappush(self._heap, entry)
        if self._heap[0] is entry:
            self._earlier.set()

    def run_due(self) -> float | None:
        """Run what is due; the seconds until the next action, or None when nothing is planned."""
        while self._heap and self._heap[0][0] <= self._now():
            heapq.heappop(self._heap)[2]()
        return max(self._heap[0][0] - self._now(), 0.0) if self._heap else None

    async def run(self) -> None:
        """Run actions for ever, each at its time."""
        while True:
            self._earlier.clear()
            wait = self.run_due()
            try:
                async with asyncio.timeout(wait):
                    await self._earlier.wait()
            except TimeoutError:
                continue
