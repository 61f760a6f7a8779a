"""Runs as they change, for whoever watches: woken after commits, read anew, bounded in number."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, Literal

from prometheus_client import Gauge

from trunkline_api import errors, runs
from trunkline_api.domain.controls import FINAL_RUN
from trunkline_api.store.runs import Run
from trunkline_common.db import Database
from trunkline_common.db.wake import Flag
from trunkline_common.loops import Stop

REST_SECONDS: Final = 0.25  # changes in between are told as one
LOOK_SECONDS: Final = 5.0  # a hint may be lost
LIFE_SECONDS: Final = 600.0  # then the client comes again, and its key is looked at again

OPEN: Final = Gauge("trunkline_api_streams", "Runs that are being watched")


@dataclass(slots=True)
class Streams:
    """The places for streams in this process; each holds a connection and wakes on every change."""

    at_most: int = 200
    per_key: int = 20
    _taken: Counter[str] = field(default_factory=Counter)

    @contextmanager
    def place(self, key_id: str) -> Iterator[None]:
        """One of them for as long as the block lasts; raises a problem where there is none."""
        if self._taken.total() >= self.at_most:
            raise errors.streams_full()
        if self._taken[key_id] >= self.per_key:
            raise errors.too_many_streams(self.per_key)
        self._taken[key_id] += 1
        OPEN.inc()
        try:
            yield
        finally:
            OPEN.dec()
            self._taken[key_id] -= 1
            if not self._taken[key_id]:
                del self._taken[key_id]

    @property
    def taken(self) -> int:
        """How many there are now."""
        return self._taken.total()


@dataclass(frozen=True, slots=True)
class Watch:
    """Who watches which run, and the version that they have seen; `bell` rings on changes."""

    business_id: str
    run_id: str
    seen: int | None
    bell: Flag


async def follow(
    database: Database, stop: Stop, watch: Watch
) -> AsyncIterator[tuple[Literal["run", "end"], Run]]:
    """The run as it is unless that was seen, then each change, then its end; no connection is
    held in between. Without an end the watcher should come again: we are leaving, or it is time.
    """
    seen, until = watch.seen, time.monotonic() + LIFE_SECONDS
    while not stop.is_set() and time.monotonic() < until:
        watch.bell.clear()
        run = await runs.get(database, watch.business_id, watch.run_id)
        if run is None:
            return
        if run.version != seen:
            yield "run", run
        seen = run.version
        if run.state in FINAL_RUN:
            yield "end", run
            return
        if not await stop.wait(REST_SECONDS):
            await stop.wait_or_ring(watch.bell, LOOK_SECONDS)
