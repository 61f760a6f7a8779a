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

from trunkline_common.failpoints import failpoint
from trunkline_common.outcomes import TrunklineError

BODY_LIMIT = 1024 * 1024


class Withheld(TrunklineError):
    """The gate was shut. Neither an OSError nor a TimeoutError: aiohttp takes those for its own."""


class Gate:
    """One attempt's last byte. `released` is the only evidence of what the provider may have.

    Hand one in from outside where the surrounding task may be cancelled: `released` then still
    tells whether the attempt is in doubt.
    """

    __slots__ = ("body", "closed", "may_send", "released")

    def __init__(self, body: bytes, may_send: Callable[[], bool]) -> None:
        if len(body) < 2:
            raise ValueError("nothing to withhold")
        self.body = body
        self.may_send = may_send
        self.released = False
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self.body[:-1]  # leaves with the headers, in one segment
        failpoint("send.last_byte_withheld")
        if self.closed or not self.may_send():
            raise Withheld
        # INVARIANT: set before the byte goes out. The other way round, a crash between the two
        # would call an attempt unsent that the provider has.
        self.released = True
        failpoint("send.last_byte_released")
        yield self.body[-1:]
        failpoint("send.last_byte_left")


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
    url: str,
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
            headers={**(headers or {}), "Content-Length": str(len(gate.body))},
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
