"""A scheduler runs on every replica that may, and ticks on one: whoever holds its lease.

The lease is on the database's clock. Its holder trusts it from the start of its last renewal, on a
monotonic clock of its own, and stops before it could have ended.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final

from prometheus_client import Gauge

from trunkline_common.db import leases
from trunkline_common.db.engine import Database
from trunkline_common.db.transaction import transaction
from trunkline_common.loops import Stop

log = logging.getLogger(__name__)

LEASE_SECONDS: Final = 20.0
RENEW_SECONDS: Final = 4.0
_SHARE: Final = RENEW_SECONDS / LEASE_SECONDS  # of a lease: so often renewed, so long the margin

LEADS = Gauge("trunkline_scheduler_leads", "Whether this process holds the lease", ["process"])

Work = Callable[[Stop], Coroutine[Any, Any, None]]


class Leader:
    """One process's claim to be the one that ticks."""

    def __init__(
        self, database: Database, name: str, stop: Stop, *, lease: float = LEASE_SECONDS
    ) -> None:
        self._database = database
        self._name = name
        self._stop = stop
        self._lease = lease
        self._share = lease * _SHARE  # the margin is for the ticks under way to end in
        self._owner = f"{socket.gethostname()}:{os.getpid()}:{os.urandom(4).hex()}"
        self._until = 0.0  # trusted so long, on the monotonic clock

    async def run(self, work: Work) -> None:
        """Run `work` while the lease is ours, again and again, until `stop`."""
        waiting = False
        while not self._stop.is_set():
            if await self._renewed():
                waiting = False
                await self._lead(work)
            elif not waiting:
                waiting = True
                log.info("scheduler.waits", extra={"part": self._name})
            await self._stop.wait(self._share)

    async def _lead(self, work: Work) -> None:
        log.info("scheduler.leads", extra={"part": self._name})
        LEADS.labels(self._name).set(1)
        end = Stop()
        try:
            async with asyncio.TaskGroup() as tasks:
                working = tasks.create_task(work(end), name=self._name)
                await self._keep(working)
                end.set()
                # Later another may tick: what has not ended by then is cut off.
                left = max(self._until - time.monotonic(), 0.0) + self._share
                await asyncio.wait([working], timeout=left)
                working.cancel()
        finally:
            LEADS.labels(self._name).set(0)
        if not self._stop.is_set():
            log.warning("scheduler.lease_lost", extra={"part": self._name})
            return
        await self._release()

    async def _keep(self, working: asyncio.Task[None]) -> None:
        """Renew until the lease cannot be trusted, the process stops, or the work has ended."""
        while not working.done() and time.monotonic() < self._until:
            if await self._stop.wait(min(self._share, self._until - time.monotonic())):
                return
            await self._renewed()
        if working.done() and working.exception() is None:
            raise RuntimeError(f"{self._name} ended by itself")

    async def _renewed(self) -> bool:
        """Ask the database; a lease that another holds is over, one that cannot be asked is not."""
        began = time.monotonic()
        try:
            async with asyncio.timeout(self._share), transaction(self._database) as session:
                token = await leases.take(
                    session, self._name, owner=self._owner, seconds=self._lease
                )
        except Exception as error:  # noqa: BLE001 - away: what is trusted stays so to its end
            log.warning("scheduler.lease_unknown", extra={"error": error})
            return False
        self._until = 0.0 if token is None else began + self._lease - 2 * self._share
        return token is not None

    async def _release(self) -> None:
        try:
            async with asyncio.timeout(self._share), transaction(self._database) as session:
                await leases.release(session, self._name, owner=self._owner)
        except Exception as error:  # noqa: BLE001 - then it runs out by itself
            log.warning("scheduler.lease_unknown", extra={"error": error})
