"""Links that can be cut, stalled and slowed: a process reaches each of its servers over one."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

from trunkline_common.loops import Stop
from trunkline_dev.servers.ports import LOOPBACK

_CHUNK = 256 * 1024


class Link:
    """One way from one process to one server, over a port of its own.

    `source` is the address that the server sees, where the process shall have one of its own.
    """

    def __init__(
        self, port: int, target: int, *, host: str = LOOPBACK, source: str | None = None
    ) -> None:
        self.port = port
        self._target = (host, target)
        self._source = (source, 0) if source else None
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._flows = asyncio.Event()
        self._flows.set()
        self._delay = 0.0

    @property
    def carries(self) -> bool:
        """Whether anybody is connected over it."""
        return bool(self._open)

    @property
    def connections(self) -> int:
        """How many there are: each has two ends."""
        return len(self._open) // 2

    async def open(self) -> None:
        """Let connections through from now on."""
        if self._server is None:
            self._server = await asyncio.start_server(self._carry, LOOPBACK, self.port)

    async def cut(self) -> None:
        """Reset what is connected and refuse whoever comes, until it is opened again."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
        for writer in list(self._open):
            writer.transport.abort()

    async def stall(self) -> None:
        """Half-open from now on: nothing is carried, and nobody is told."""
        self._flows.clear()

    async def flow(self, *, delay: float = 0.0) -> None:
        """Carry again, each piece so many seconds late."""
        self._delay = delay
        self._flows.set()

    def _destination(self) -> tuple[str, int]:
        """Where the next connection is carried to."""
        return self._target

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with self._noted(writer), contextlib.suppress(OSError):
            host, port = self._destination()
            there, back = await asyncio.open_connection(host, port, local_addr=self._source)
            with self._noted(back):
                if self._server is None:
                    return  # cut while it was being opened
                async with asyncio.TaskGroup() as pumps:
                    pumps.create_task(self._pump(reader, back))
                    pumps.create_task(self._pump(there, writer))

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(_CHUNK):
                await self._flows.wait()
                if self._delay:
                    await Stop().wait(self._delay)
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.transport.abort()

    @contextlib.contextmanager
    def _noted(self, writer: asyncio.StreamWriter) -> Iterator[None]:
        self._open.add(writer)
        try:
            yield
        finally:
            self._open.discard(writer)
            writer.transport.abort()
