"""The provider of a benchmark: the least that answers a create-call, in a process of its own.

It writes its port on standard output, answers each complete request after a delay, and ends when
its standard input does.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import sys
from typing import cast

import uvloop

_HEAD_END = b"\r\n\r\n"
_LENGTH = b"content-length:"


class Responder(asyncio.Protocol):
    """One connection: requests with a length, one at a time."""

    def __init__(self, delay: float, numbers: itertools.count[int]) -> None:
        self._delay = delay
        self._numbers = numbers
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
        self._seen = self._seen[whole:]
        asyncio.get_running_loop().call_later(self._delay, self._answer)

    def _answer(self) -> None:
        if self._transport is not None:
            body = b'{"sid": "CA%032x", "status": "queued", "price": null}' % next(self._numbers)
            self._transport.write(
                b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\n"
                b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
            )


async def _serve(delay: float) -> None:
    loop = asyncio.get_running_loop()
    numbers = itertools.count(1)
    server = await loop.create_server(lambda: Responder(delay, numbers), "127.0.0.1", 0)
    async with server:
        sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
        sys.stdout.flush()
        ended = asyncio.Event()
        loop.add_reader(sys.stdin.fileno(), ended.set)
        await ended.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--delay", type=float, default=0.02, help="seconds; default 0.02")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(parser.parse_args().delay))
