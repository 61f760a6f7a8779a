"""An application on a loopback port, for what needs a connection: streams, and a second service."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.types import ASGIApp

from trunkline_common.http.server import serve_http
from trunkline_common.loops import Stop
from trunkline_common.testing import eventually


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@asynccontextmanager
async def served(app: ASGIApp, stop: Stop, port: int | None = None) -> AsyncIterator[str]:
    """Its address, for as long as the block lasts."""
    port = port or free_port()

    async def listens() -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return False
        writer.close()
        return True

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(serve_http(app, "127.0.0.1", port, stop=stop))
        await eventually(listens, what="the server listens")
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            stop.set()
