"""The one HTTP server of an OS process: it goes on answering until the work has drained."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp

from trunkline_common.loops import Stop

log = logging.getLogger(__name__)

GRACE_SECONDS = 5
KEEP_ALIVE_SECONDS = 20


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: the process has one way to end."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def bound(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(1024)  # from here on nobody is refused: what is logged as listening, listens
    listener.setblocking(False)
    return listener


async def serve_http(
    app: ASGIApp, host: str, port: int, *, stop: Stop, after: asyncio.Event | None = None
) -> None:
    """Answer until `stop`, and then until `after`: probes and metrics outlive the draining work."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="on",
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
        proxy_headers=False,
    )
    server = _Server(config)
    with bound(host, port) as listener:
        address, chosen = listener.getsockname()[:2]
        log.info("http.listening", extra={"address": f"http://{address}:{chosen}"})
        async with asyncio.TaskGroup() as tasks:
            serving = tasks.create_task(server.serve(sockets=[listener]), name="uvicorn")

            async def leave() -> None:
                await stop.wait()
                if after is not None:
                    await after.wait()
                server.should_exit = True

            leaving = tasks.create_task(leave(), name="leave")
            await serving
            leaving.cancel()
    if not stop.is_set():
        raise RuntimeError("the HTTP server ended by itself")
