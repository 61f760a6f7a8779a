"""The provider of a benchmark: the least that answers a create-call, in a process of its own.

It writes its port on standard output, answers each complete request after a delay, and ends when
its standard input does. With `--log` it writes the address of each complete request to a file, and
answers who lists the calls to an address.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import re
import sys
from collections import defaultdict
from email.utils import formatdate
from pathlib import Path
from typing import cast

import uvloop

_HEAD_END = b"\r\n\r\n"
_LENGTH = b"content-length:"
_TO = re.compile(rb"\bto=%2b(\d+)", re.IGNORECASE)


class Ledger:
    """Every call that was asked for, by the digits of its address."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)
        self._calls: dict[bytes, list[dict[str, str]]] = defaultdict(list)

    def add(self, body: bytes, sid: str) -> None:
        """One complete request."""
        to = _digits(body)
        self._file.write(to + b"\n")
        told = {"sid": sid, "status": "queued", "date_created": formatdate(usegmt=True)}
        self._calls[to].append({**told, "to": f"+{to.decode()}"})

    def listing(self, head: bytes) -> bytes:
        """The calls to the address that a GET names."""
        return json.dumps({"calls": self._calls.get(_digits(head), [])}).encode()


def _digits(text: bytes) -> bytes:
    found = _TO.search(text)
    return found[1] if found else b""


class Responder(asyncio.Protocol):
    """One connection: requests with a length, one at a time."""

    def __init__(self, delay: float, numbers: itertools.count[int], ledger: Ledger | None) -> None:
        self._delay = delay
        self._numbers = numbers
        self._ledger = ledger
        self._seen = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what to answer on."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but name

    def connection_lost(self, _error: Exception | None, /) -> None:
        """Nobody is there to answer any more."""
        self._transport = None

    def data_received(self, data: bytes) -> None:
        """Answer later whatever is whole by now."""
        self._seen += data
        end = self._seen.find(_HEAD_END)
        if end < 0:
            return
        head = self._seen[:end].lower()
        length = head.partition(_LENGTH)[2].partition(b"\r\n")[0]
        whole = end + len(_HEAD_END) + int(length or 0)
        if len(self._seen) < whole:
            return
        body, self._seen = self._seen[end:whole], self._seen[whole:]
        asyncio.get_running_loop().call_later(self._delay, self._answer, *self._said(head, body))

    def _said(self, head: bytes, body: bytes) -> tuple[bytes, bytes]:
        if self._ledger is not None and head.startswith(b"get "):
            return b"200 OK", self._ledger.listing(head)
        sid = f"CA{next(self._numbers):032x}"
        if self._ledger is not None:
            self._ledger.add(body, sid)
        return b"201 Created", b'{"sid": "%b", "status": "queued", "price": null}' % sid.encode()

    def _answer(self, status: bytes, body: bytes) -> None:
        if self._transport is not None:
            date = b"Date: %b\r\n" % formatdate(usegmt=True).encode() if self._ledger else b""
            self._transport.write(
                b"HTTP/1.1 %b\r\nContent-Type: application/json\r\n%b"
                b"Content-Length: %d\r\n\r\n%b" % (status, date, len(body), body)
            )


async def _serve(delay: float, log: Path | None) -> None:
    loop = asyncio.get_running_loop()
    numbers = itertools.count(1)
    ledger = Ledger(log) if log else None
    server = await loop.create_server(lambda: Responder(delay, numbers, ledger), "127.0.0.1", 0)
    async with server:
        sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
        sys.stdout.flush()
        ended = asyncio.Event()
        loop.add_reader(sys.stdin.fileno(), ended.set)
        await ended.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--delay", type=float, default=0.02, help="seconds; default 0.02")
    parser.add_argument("--log", type=Path, help="where to write whom each request called")
    options = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(options.delay, options.log))
