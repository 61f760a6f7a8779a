"""Answers that no honest server gives: none at all, a reset connection, a body in drips."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Iterator
from typing import Any

from starlette.responses import Response, StreamingResponse
from starlette.types import Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

TRANSPORT = "trunkline.transport"

# A client that waits longer than this for an answer is not testing a time-out any more.
LONGEST_SILENCE = 300.0


class OpenHandedProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol, which also hands the transport to the application."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        scope: dict[str, Any] = self.scope  # type: ignore[assignment]
        scope[TRANSPORT] = self.transport


class Silence(Response):
    """No answer: the connection stays open until the client gives up."""

    async def __call__(self, scope: Scope, receive: Receive, _: Send) -> None:
        try:
            async with asyncio.timeout(LONGEST_SILENCE):
                await _gone(receive)
        except TimeoutError:
            scope[TRANSPORT].abort()


class Reset(Response):
    """No answer: the connection ends with an RST, so the client cannot take it for a close."""

    async def __call__(self, scope: Scope, receive: Receive, _: Send) -> None:
        transport: asyncio.Transport = scope[TRANSPORT]
        peer = transport.get_extra_info("socket")
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
        await _gone(receive)


class Drip(Response):
    """A true answer whose body takes its time."""

    STEPS = 10

    def __init__(self, answer: Response, seconds: float) -> None:
        super().__init__()
        self._answer = answer
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def dripping(message: Message) -> None:
            body: bytes = message.get("body", b"")
            if message["type"] != "http.response.body" or not body:
                await send(message)
                return
            more = message.get("more_body", False)
            pieces = list(_cut(body, self.STEPS))
            for at, piece in enumerate(pieces, start=1):
                await send({**message, "body": piece, "more_body": more or at < len(pieces)})
                await asyncio.sleep(self._seconds / self.STEPS)

        await self._answer(scope, receive, dripping)


def sized_stream(chunks: Iterator[bytes], size: int, media_type: str) -> StreamingResponse:
    """A body of known length, sent in pieces without threads."""

    async def flow() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    return StreamingResponse(flow(), media_type=media_type, headers={"Content-Length": str(size)})


def _cut(body: bytes, pieces: int) -> Iterator[bytes]:
    step = max(1, -(-len(body) // pieces))
    for start in range(0, len(body), step):
        yield body[start : start + step]


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue
