"""Many requests over a few connections, each sent when the one before it is answered.

    python -m tests.benchmarks.ingest.load --port 8000 --connections 50 --requests FILE

A process of its own that does as little as it can: requests come ready made, and of an answer only
the status and the length are read. The figures go to standard output as JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles
from typing import cast

import uvloop
from tests.benchmarks.dispatch import program

SECONDS = 120.0
_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Answers:
    """How soon they came, in milliseconds, and how long all of them took."""

    seconds: float
    p50_ms: float
    p99_ms: float
    statuses: Mapping[str, int]


def request(method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> str:
    """The bytes of a request, as the letters of the same number."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines += [f"Content-Length: {len(body)}"] if body else []
    return "\r\n".join([*lines, "", ""]) + body.decode("latin-1")


def pressed(port: int, requests: Sequence[str], connections: int) -> Answers:
    """Send them all from another process; what it says."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(requests, file)
        file.flush()
        words = ("--port", str(port), "--connections", str(connections), "--requests", file.name)
        with program("tests.benchmarks.ingest.load", *words) as process:
            said, _ = process.communicate(timeout=SECONDS)
    if process.returncode:
        raise SystemExit("benchmarks: a connection broke off")
    return Answers(**json.loads(said))


@dataclass(slots=True)
class _Work:
    """What is still to be sent, and what came back."""

    todo: Iterator[bytes]
    over: asyncio.Future[None]
    open_lines: int
    waits: list[float] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)


class _Line(asyncio.Protocol):
    """One connection."""

    def __init__(self, work: _Work) -> None:
        self._work = work
        self._seen = b""
        self._sent_at = 0.0
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self._transport = cast(asyncio.WriteTransport, transport)  # uvloop has its own kind
        self._send()

    def _send(self) -> None:
        assert self._transport is not None
        message = next(self._work.todo, None)
        if message is None:
            self._transport.close()
            return
        self._sent_at = time.perf_counter()
        self._transport.write(message)

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        self._seen += data
        head, end, body = self._seen.partition(_END)
        length = _LENGTH.search(head)
        if not end or len(body) < (int(length[1]) if length else 0):
            return
        self._work.waits.append(time.perf_counter() - self._sent_at)
        self._work.statuses[head[9:12].decode()] += 1
        self._seen, self._sent_at = b"", 0.0
        self._send()

    def connection_lost(self, _: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._work.open_lines -= 1
        if self._work.over.done():
            return
        if self._sent_at:
            self._work.over.set_exception(ConnectionError("closed before its answer"))
        elif not self._work.open_lines:
            self._work.over.set_result(None)


async def _sent(options: argparse.Namespace) -> Answers:
    messages = [one.encode("latin-1") for one in json.loads(options.requests.read_text())]
    loop = asyncio.get_running_loop()
    work = _Work(iter(messages), loop.create_future(), options.connections)
    began = time.perf_counter()
    for _ in range(options.connections):
        await loop.create_connection(lambda: _Line(work), "127.0.0.1", options.port)
    async with asyncio.timeout(SECONDS):
        await work.over
    took = time.perf_counter() - began
    cuts = quantiles([1000 * wait for wait in work.waits], n=100)
    return Answers(took, cuts[49], cuts[98], work.statuses)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--connections", type=int, required=True)
    parser.add_argument("--requests", type=Path, required=True)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        answers = runner.run(_sent(parser.parse_args()))
    told = {name: getattr(answers, name) for name in Answers.__slots__}
    sys.stdout.write(json.dumps(told) + "\n")
