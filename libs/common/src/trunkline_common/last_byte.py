"""A POST that cannot be sent by accident: its last byte is withheld until a gate opens.

A provider acts on a complete request only, so everything before the last byte may be prepared
early, and whoever looks at the gate looks one system call before the request counts.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from aiohttp.payload import Payload
from yarl import URL

from trunkline_common.failpoints import failpoint
from trunkline_common.outcomes import TrunklineError

BODY_LIMIT = 1024 * 1024


class Withheld(TrunklineError):
    """The gate was shut. Neither an OSError nor a TimeoutError: aiohttp takes those for its own."""


class Gate(Payload):
    """One attempt's last byte. `released` is the only evidence of what the provider may have.

    Hand one in from outside where the surrounding task may be cancelled: `released` then still
    tells whether the attempt is in doubt. It is a body that aiohttp writes once, as it is told
    here: an asynchronous generator would cost a sixth of the whole request.
    """

    _autoclose = True
    _consumed = True  # aiohttp never writes a body again that says so

    def __init__(self, body: bytes, may_send: Callable[[], bool]) -> None:
        if len(body) < 2:
            raise ValueError("nothing to withhold")
        super().__init__(body)
        self._size = len(body)
        self.body = body
        self.may_send = may_send
        self.released = False
        self.closed = False

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """The whole body as text."""
        return self.body.decode(encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        """All but the last byte, in one segment with the headers; then that, if it may leave."""
        await writer.write(self.body[:-1])
        failpoint("send.last_byte_withheld")
        if self.closed or self.released or not self.may_send():
            raise Withheld
        # INVARIANT: set before the byte goes out. The other way round, a crash between the two
        # would call an attempt unsent that the provider has.
        self.released = True
        failpoint("send.last_byte_released")
        await writer.write(self.body[-1:])
        failpoint("send.last_byte_left")

    async def write_with_length(
        self, writer: AbstractStreamWriter, _content_length: int | None
    ) -> None:
        """The length is the body's own."""
        await self.write(writer)


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a gated POST. `in_doubt`: the last byte left and no whole answer came."""

    kind: Literal["answered", "not_sent", "in_doubt"]
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    reason: str = ""


async def post_gated(
    session: aiohttp.ClientSession,
    url: str | URL,
    body: bytes | Gate,
    may_send: Callable[[], bool] = lambda: True,
    headers: Mapping[str, str] | None = None,
    timeout: aiohttp.ClientTimeout | None = None,  # noqa: ASYNC109 - aiohttp's own
) -> Answer:
    """POST once, never retried or redirected. With a `Gate` as body, its own `may_send` counts."""
    gate = body if isinstance(body, Gate) else Gate(body, may_send)
    try:
        failpoint("send.begun")
        async with session.post(
            url,
            data=gate,
            allow_redirects=False,
            headers=headers,
            timeout=timeout or session.timeout,
        ) as response:
            answer = bytearray()
            async for chunk in response.content.iter_any():
                answer += chunk
                if len(answer) > BODY_LIMIT:
                    break  # nothing that a provider says of one request is that long
            failpoint("send.answered")
            return Answer("answered", response.status, dict(response.headers), bytes(answer))
    except (aiohttp.ClientError, TimeoutError, OSError, Withheld) as error:
        kind: Literal["in_doubt", "not_sent"] = "in_doubt" if gate.released else "not_sent"
        return Answer(kind, reason=f"{type(error).__name__}: {error}")
    finally:
        gate.closed = True  # also when cancelled: a writer that is still alive may not release


@asynccontextmanager
async def open_http(
    limit: int = 100,
    *,
    total: float = 10.0,
    connect: float = 3.0,
    read: float = 8.0,
) -> AsyncIterator[aiohttp.ClientSession]:
    """A client for providers: bounded, with deadlines, without cookies, proxies or retries."""
    connector = aiohttp.TCPConnector(limit=limit, keepalive_timeout=15)
    timeout = aiohttp.ClientTimeout(
        total=total, connect=connect, sock_connect=min(connect, 2.0), sock_read=read
    )
    async with aiohttp.ClientSession(
        connector=connector,
        timeout=timeout,
        trust_env=False,
        cookie_jar=aiohttp.DummyCookieJar(),
    ) as session:
        yield session
