"""Hints between the processes of one service: something changed, look now instead of later.

A hint may be lost at any time; whoever waits also looks on its own clock.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import asyncpg

log = logging.getLogger(__name__)

RECONNECT_SECONDS = 2.0
_DEADLINE = 5.0


class Flag:
    """One waiter's bell. Cleared before its owner looks, so a ring while looking is not lost."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def ring(self) -> None:
        self._event.set()

    def clear(self) -> None:
        self._event.clear()

    def take(self) -> bool:
        """Whether it has rung since it was last cleared; it is clear now."""
        rang = self._event.is_set()
        self._event.clear()
        return rang

    async def wait(self, seconds: float) -> bool:
        """Wait for a ring at most this long; whether it rang. Leaves the bell as it is."""
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            return False
        return True


class Waker:
    """Rings flags in this process at once, and those of other processes through NOTIFY.

    A notification reaches everybody who listens in the database, so channels carry the scope (the
    service's role) before their name: one service's outbox wakes nobody else's relay.
    """

    def __init__(self, dsn: str, application: str, *, scope: str = "") -> None:
        self._dsn = dsn
        self._application = application
        self._scope = f"{scope}:"
        self._flags: dict[str, list[Flag]] = {}
        self._pending: set[str] = set()
        self._notify = asyncio.Event()

    def flag(self, channel: str) -> Flag:
        """A bell for this channel, heard from now on."""
        flag = Flag()
        self._flags.setdefault(channel, []).append(flag)
        self._notify.set()  # the connection loop subscribes to what is new
        return flag

    @contextmanager
    def bell(self, channel: str) -> Iterator[Flag]:
        """A bell for as long as the block lasts, for whoever waits once."""
        flag = self.flag(channel)
        try:
            yield flag
        finally:
            self._flags[channel].remove(flag)

    def wake(self, channel: str) -> None:
        """Ring every bell of this channel; many rings before the next look are one."""
        self._ring(channel)
        self._pending.add(channel)
        self._notify.set()

    def _ring(self, channel: str) -> None:
        for flag in self._flags.get(channel, ()):
            flag.ring()

    async def run(self) -> None:
        """Keep one autocommit connection for NOTIFY and LISTEN for the process's whole life."""
        while True:
            try:
                await self._serve_connection()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as error:
                log.warning("wake.connection_lost", extra={"error": error})
                for channel in self._flags:
                    self._ring(channel)  # hints may have been missed meanwhile
                await asyncio.sleep(RECONNECT_SECONDS)

    async def _serve_connection(self) -> None:
        connection = await asyncpg.connect(
            self._dsn,
            timeout=_DEADLINE,
            command_timeout=_DEADLINE,
            server_settings={"application_name": self._application},
        )
        listening: set[str] = set()
        try:
            while True:
                self._notify.clear()
                for channel in self._flags.keys() - listening:
                    await connection.add_listener(self._scope + channel, self._heard)
                    listening.add(channel)
                while self._pending:
                    channel = self._scope + self._pending.pop()
                    await connection.execute("SELECT pg_notify($1, '')", channel)
                try:
                    async with asyncio.timeout(RECONNECT_SECONDS * 5):
                        await self._notify.wait()
                except TimeoutError:
                    await connection.execute("SELECT 1")  # notices a peer that went silent
        finally:
            connection.terminate()

    def _heard(self, connection: Any, pid: int, channel: str, _payload: object) -> None:
        if pid != connection.get_server_pid():  # our own: rung when it was sent
            self._ring(channel.removeprefix(self._scope))


@asynccontextmanager
async def open_waker(dsn: str, *, application: str, scope: str) -> AsyncIterator[Waker]:
    """A waker whose connection lives as long as the block; it survives the database's absence."""
    waker = Waker(dsn, application, scope=scope)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(waker.run(), name="waker")
        try:
            yield waker
        finally:
            running.cancel()
