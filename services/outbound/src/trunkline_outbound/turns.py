"""Whose turn it is in this worker: a round over businesses, and runs that are not asked for now."""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager

from trunkline_outbound.domain.fairness import Standing, charge, choose


class Turns:
    """A deficit round robin under way. `start`: where its round begins.

    `weights` may change meanwhile: each choice is made by those of its moment.
    """

    def __init__(
        self, quantum: float, weights: Mapping[str, float] | None = None, *, start: str = ""
    ) -> None:
        self._quantum = quantum
        self._weights = weights if weights is not None else {}
        self._standing = Standing(start)

    def choose(self, waiting: Collection[str]) -> str:
        """The business whose turn it is; somebody waits."""
        self._standing = choose(
            self._standing, waiting, quantum=self._quantum, weights=self._weights
        )
        return self._standing.last

    def charge(self, business_id: str, served: float) -> None:
        """Note how much a business was served; less than nothing gives it back."""
        self._standing = charge(self._standing, business_id, served)


class Turnstile:
    """One at a time; of those who wait the one whose business's turn it is, first come first."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}
        self._taken = False

    @asynccontextmanager
    async def turn(self, business_id: str) -> AsyncIterator[Turns]:
        """Wait for a turn, and have it until the block ends; what it served is charged inside."""
        await self._enter(business_id)
        try:
            yield self._turns
        finally:
            self._pass_on()

    async def _enter(self, business_id: str) -> None:
        if not self._taken:
            self._taken = True
            return
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(business_id, deque()).append(mine)
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():
                self._pass_on()  # it was our turn already
            raise

    def _pass_on(self) -> None:
        for business_id, line in list(self._waiting.items()):
            while line and line[0].done():  # gone while it waited
                line.popleft()
            if not line:
                del self._waiting[business_id]
        self._taken = bool(self._waiting)
        if self._waiting:
            self._waiting[self._turns.choose(self._waiting)].popleft().set_result(None)


class Pauses:
    """Runs that may not send now: each until its time, or until somebody frees room.

    Times on this process's monotonic clock, given by the caller.
    """

    def __init__(self) -> None:
        self._until: dict[str, float] = {}
        self._roomless: set[str] = set()
        self._rings = itertools.count(1)
        self.rung = 0

    def ring(self) -> None:
        """Room may have been freed: ask again those who lacked it."""
        self.rung = next(self._rings)
        for run_id in self._roomless:
            self._until.pop(run_id, None)
        self._roomless.clear()

    def add(self, run_id: str, *, until: float, until_rung: bool, rung: int) -> None:
        """Leave a run alone. `rung`: how often it had rung before the run was asked: if it has
        since, what is awaited may have come already.
        """
        if until_rung and rung != self.rung:
            return
        self._until[run_id] = until
        if until_rung:
            self._roomless.add(run_id)

    def holds(self, run_id: str, now: float) -> bool:
        """Whether this run is not to be asked yet."""
        if self._until.get(run_id, now) > now:
            return True
        self._until.pop(run_id, None)
        self._roomless.discard(run_id)
        return False

    def next_end(self, now: float) -> float:
        """When the first pause ends after `now`; infinity without any."""
        self._until = {run_id: until for run_id, until in self._until.items() if until > now}
        self._roomless &= self._until.keys()
        return min(self._until.values(), default=float("inf"))
