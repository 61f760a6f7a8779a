"""Loops that work on rows until they are told to stop: never ended by one bad tick."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Awaitable, Callable

import prometheus_client

from trunkline_common.db.wake import Flag
from trunkline_common.outcomes import TrunklineError

log = logging.getLogger(__name__)

FIRST_BACKOFF = 0.2
LONGEST_BACKOFF = 15.0

TICKS = prometheus_client.Counter(
    "trunkline_loop_ticks_total", "Ticks of a loop", ["loop", "result"]
)


class Stop:
    """The process's wish to end. Loops look at it between units of work, never inside one."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self._flags: Counter[Flag] = Counter()  # several may wait on one

    def set(self) -> None:
        """Wish it: everybody who waits is woken."""
        self._event.set()
        for flag in self._flags:
            flag.ring()

    def is_set(self) -> bool:
        return self._event.is_set()

    async def wait(self, seconds: float | None = None) -> bool:
        """Wait at most this long for the end; whether it has come."""
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            return False
        return True

    async def wait_or_ring(self, flag: Flag, seconds: float) -> None:
        """Wait for a ring, the end, or so many seconds; whichever is first."""
        self._flags[flag] += 1
        try:
            if not self.is_set():
                await flag.wait(seconds)
        finally:  # whoever waits once would be remembered for ever
            self._flags[flag] -= 1
            if not self._flags[flag]:
                del self._flags[flag]


def backoff(failures: int, *, longest: float = LONGEST_BACKOFF) -> float:
    """Seconds to wait after so many failures in a row, with jitter: replicas must not march."""
    ceiling = min(longest, FIRST_BACKOFF * 2.0 ** min(failures, 16))
    return ceiling * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, hides nothing


async def work_loop(
    name: str,
    tick: Callable[[], Awaitable[bool]],
    *,
    stop: Stop,
    flag: Flag | None = None,
    idle: float = 1.0,
) -> None:
    """Call `tick` until `stop`. It returns whether it did something; if so it is called again.

    With nothing to do the loop waits for `flag`, at most `idle` seconds. A tick that raises is
    logged, counted and backed off; it never ends the process.
    """
    bell = flag or Flag()
    failures = 0
    while not stop.is_set():
        bell.clear()
        try:
            busy = await tick()
        except (
            Exception
        ) as error:  # the loop outlives whatever a tick meets; the backoff bounds the noise
            failures += 1
            TICKS.labels(name, "failed").inc()
            log.warning(
                "loop.tick_failed",
                extra={"loop": name, "failures": failures, "error": error},
                exc_info=None if isinstance(error, TrunklineError) else error,  # those are expected
            )
            await stop.wait(backoff(failures))
            continue
        failures = 0
        TICKS.labels(name, "busy" if busy else "idle").inc()
        if not busy:
            await stop.wait_or_ring(bell, idle)
