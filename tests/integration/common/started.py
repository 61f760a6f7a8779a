"""A service as a real process: its address, its log, its signals."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from typing import Any

import aiohttp

from trunkline_common.testing import eventually


class Started:
    """One running process. Its log is read all the time, so that it never blocks on it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[dict[str, Any]] = []
        self.other: list[str] = []

    async def read(self) -> None:
        assert self.process.stderr is not None
        async for raw in self.process.stderr:
            try:
                self.lines.append(json.loads(raw))
            except ValueError:
                self.other.append(raw.decode().rstrip())

    def named(self, name: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["name"] == name]

    async def address(self) -> str:
        line = (await eventually(lambda: self.named("http.listening"), 40))[0]
        return str(line["address"])

    async def request(self, method: str, path: str, **kwargs: Any) -> tuple[int, Any, Any]:
        """(status, JSON or text, headers) of one request."""
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session,
            session.request(method, await self.address() + path, **kwargs) as answer,
        ):
            is_json = "json" in answer.headers.get("Content-Type", "")
            body = await answer.json(content_type=None) if is_json else await answer.text()
            return answer.status, body, answer.headers

    async def ended(self, within: float = 40.0) -> int:
        async with asyncio.timeout(within):
            return await self.process.wait()


@contextlib.asynccontextmanager
async def started(command: str, environment: dict[str, str]) -> AsyncIterator[Started]:
    """The small service with this command; killed at the end if it still runs."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.integration.common.small_service",
        *command.split(),
        env={"PATH": os.environ["PATH"], **environment},
        stderr=asyncio.subprocess.PIPE,
    )
    service = Started(process)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(service.read())
        try:
            yield service
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.send_signal(signal.SIGKILL)
                await process.wait()
