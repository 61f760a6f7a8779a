"""A POST whose last byte is withheld: what the provider sees, and what we know afterwards."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from trunkline_common.last_byte import Gate, open_http, post_gated
from trunkline_common.testing import eventually

BODY = b"To=%2B15005550006&From=%2B15005550001"
CREATED = b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok"

Answering = Callable[[asyncio.StreamWriter], Awaitable[None]]


class Provider:
    """A peer that notes every byte it got, and answers as it is told."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.url = ""
        self.open = 0

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: Answering
    ) -> None:
        self.open += 1
        try:
            await self.answer_all(reader, writer, answer)
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
            self.open -= 1

    async def answer_all(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: Answering
    ) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = int(head.lower().split("content-length: ")[1].split("\r\n")[0])
                try:
                    self.bodies.append(await reader.readexactly(length))
                except asyncio.IncompleteReadError as error:
                    self.bodies.append(error.partial)
                    raise
                await answer(writer)


@contextlib.asynccontextmanager
async def provider(answer: Answering) -> AsyncIterator[Provider]:
    peer = Provider()
    server = await asyncio.start_server(
        lambda reader, writer: peer.serve(reader, writer, answer), "127.0.0.1", 0
    )
    async with server:
        peer.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/Calls.json"
        yield peer
        await eventually(lambda: peer.open == 0)


async def created(writer: asyncio.StreamWriter) -> None:
    writer.write(CREATED)


async def reset(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def silent(_writer: asyncio.StreamWriter) -> None:
    return


async def redirecting(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 307 Moved\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n")


async def cut(writer: asyncio.StreamWriter) -> None:
    writer.write(CREATED[:-1])
    await writer.drain()
    writer.close()


async def test_an_open_gate_lets_the_whole_request_through() -> None:
    async with provider(created) as peer, open_http() as http:
        answer = await post_gated(http, peer.url, BODY, lambda: True, {"X-A": "b"})
    assert (answer.kind, answer.status, answer.body) == ("answered", 201, b"ok")
    assert peer.bodies == [BODY]


async def test_a_shut_gate_sends_nothing_that_counts_and_leaves_the_pool_well() -> None:
    async with provider(created) as peer, open_http(limit=1) as http:
        for _ in range(5):
            answer = await post_gated(http, peer.url, BODY, lambda: False)
            assert (answer.kind, answer.status) == ("not_sent", 0)
        assert (await post_gated(http, peer.url, BODY)).kind == "answered"
        await eventually(lambda: len(peer.bodies) == 6)
    assert peer.bodies.count(BODY) == 1
    assert peer.bodies.count(BODY[:-1]) == 5


@pytest.mark.parametrize("answer", [reset, silent, cut])
async def test_after_the_last_byte_no_whole_answer_is_a_doubt(answer: Answering) -> None:
    async with provider(answer) as peer, open_http(read=0.3) as http:
        got = await post_gated(http, peer.url, BODY)
        assert got.kind == "in_doubt"
        assert got.reason
    assert peer.bodies == [BODY]  # and it was not sent again


async def test_nobody_there_means_not_sent() -> None:
    async with open_http() as http:
        assert (await post_gated(http, "http://127.0.0.1:1/", BODY)).kind == "not_sent"


async def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    async with provider(redirecting) as peer, open_http() as http:
        answer = await post_gated(http, peer.url, BODY)
    assert (answer.kind, answer.status) == ("answered", 307)
    assert peer.bodies == [BODY]


async def test_a_cancelled_caller_can_tell_and_nothing_leaves_afterwards() -> None:
    async with provider(silent) as peer, open_http() as http:
        gate = Gate(BODY, lambda: True)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await post_gated(http, peer.url, gate)
        assert gate.released
        assert gate.closed


async def test_a_gate_opens_once() -> None:
    async with provider(created) as peer, open_http() as http:
        gate = Gate(BODY, lambda: True)
        assert (await post_gated(http, peer.url, gate)).kind == "answered"
        again = await post_gated(http, peer.url, gate)
        assert again.kind == "in_doubt"  # of this gate the provider has had a byte too many already
    assert peer.bodies.count(BODY) == 1


async def test_small_writes_are_not_held_back_by_the_kernel() -> None:
    """Without TCP_NODELAY each request would take more than 40 ms."""
    async with provider(created) as peer, open_http() as http:
        await post_gated(http, peer.url, BODY)
        loop = asyncio.get_running_loop()
        took = []
        for _ in range(15):
            began = loop.time()
            await post_gated(http, peer.url, BODY)
            took.append(loop.time() - began)
    assert sorted(took)[3] < 0.03


def test_there_must_be_something_to_withhold() -> None:
    with pytest.raises(ValueError, match="nothing to withhold"):
        Gate(b"x", lambda: True)
