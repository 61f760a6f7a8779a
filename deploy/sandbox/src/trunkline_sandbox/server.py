"""Runs the application with its loops: if one of them dies, the process does."""

import asyncio
import json
import socket
import sys

import uvicorn

from trunkline_sandbox.answers import OpenHandedProtocol
from trunkline_sandbox.app import Sandbox, build_sandbox
from trunkline_sandbox.settings import SandboxSettings


async def serve(settings: SandboxSettings) -> None:
    """Serve until a signal comes. The first line on stdout tells the address."""
    sandbox = build_sandbox(settings)
    listener = socket.create_server((settings.host, settings.port), backlog=1024)
    host, port = listener.getsockname()[:2]
    sys.stdout.write(json.dumps({"listening": f"http://{host}:{port}"}) + "\n")
    sys.stdout.flush()
    try:
        await _run(sandbox, listener)
    finally:
        sandbox.witness.close()


async def _run(sandbox: Sandbox, listener: socket.socket) -> None:
    server = uvicorn.Server(
        uvicorn.Config(
            sandbox.app,
            http=OpenHandedProtocol,
            lifespan="off",
            access_log=False,
            log_level="warning",
            timeout_keep_alive=30,
            timeout_graceful_shutdown=2,
        )
    )
    async with asyncio.TaskGroup() as group:
        loops = (
            group.create_task(sandbox.agenda.run()),
            group.create_task(sandbox.courier.run()),
        )
        await server.serve(sockets=[listener])
        for loop in loops:
            loop.cancel()
