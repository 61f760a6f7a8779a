"""The processes of api that answer requests: what one of them changes, the others forget."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import Final

from trunkline_api.accounts import Accounts
from trunkline_common.broker import Hints
from trunkline_common.db.wake import Flag
from trunkline_common.loops import Stop

log = logging.getLogger(__name__)

MOST_UNSAID: Final = 1_000  # of a burst; the oldest is the first to be out of date
IDLE_SECONDS: Final = 30.0


class Siblings:
    """Says and hears which channels have changed. Nobody waits for it: losing a hint costs the
    seconds for which an account is remembered, and no more.
    """

    def __init__(self, hints: Hints, accounts: Accounts) -> None:
        self._hints = hints
        self._accounts = accounts
        self._unsaid: deque[str] = deque(maxlen=MOST_UNSAID)
        self._bell = Flag()

    def channel_changed(self, channel_id: str) -> None:
        """Forget it here at once, and everywhere else as soon as the broker carries it."""
        self._accounts.forget(channel_id)
        self._unsaid.append(channel_id)
        self._bell.ring()

    async def keep_in_step(self, stop: Stop) -> None:
        """Say and hear until `stop`."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._hints.listen(self._accounts.forget, stop))
            tasks.create_task(self._say(stop))

    async def _say(self, stop: Stop) -> None:
        async with self._hints.link() as link:
            while not stop.is_set():
                self._bell.clear()
                while self._unsaid and not stop.is_set():
                    if not await self._hints.publish(link, self._unsaid.popleft()):
                        log.info("hints.unsaid")
                await stop.wait_or_ring(self._bell, IDLE_SECONDS)
