"""A small Twilio of audio files: it checks the login, and answers each request as it was told."""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web

ACCOUNT = "AC" + "0" * 32
TOKEN = "an auth token"
AUDIO = b"RIFF" + bytes(range(256)) * 4096  # a mebibyte and a bit

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class AudioProvider:
    """`answers` are used up one by one; then the whole audio is served."""

    url: str = ""
    other_url: str = ""
    answers: deque[Answer] = field(default_factory=deque)
    asked: list[str] = field(default_factory=list)
    logins: list[str | None] = field(default_factory=list)
    half_way: asyncio.Event = field(default_factory=asyncio.Event)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def sum(self) -> str:
        return hashlib.sha256(AUDIO).hexdigest()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path_qs)
        self.logins.append(request.headers.get("Authorization"))
        if self.answers:
            return await self.answers.popleft()(request)
        if request.headers.get("Authorization") != aiohttp.encode_basic_auth(ACCOUNT, TOKEN):
            return web.Response(status=401)
        return await whole(request)

    async def stall(self, request: web.Request) -> web.StreamResponse:
        """Half of the audio, and the rest only when told."""
        response = web.StreamResponse(headers=_headers(len(AUDIO)))
        await response.prepare(request)
        await response.write(AUDIO[: len(AUDIO) // 2])
        self.half_way.set()
        await self.go_on.wait()
        await response.write(AUDIO[len(AUDIO) // 2 :])
        return response


async def whole(request: web.Request) -> web.StreamResponse:
    return web.Response(body=AUDIO, content_type="audio/x-wav")


async def short(request: web.Request) -> web.StreamResponse:
    """Less than announced, then the connection is gone."""
    response = web.StreamResponse(headers=_headers(len(AUDIO)))
    await response.prepare(request)
    await response.write(AUDIO[:1000])
    assert request.transport is not None
    request.transport.abort()
    return response


async def reset(request: web.Request) -> web.StreamResponse:
    """No answer at all: the connection is gone."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def empty(request: web.Request) -> web.StreamResponse:
    return web.Response(body=b"", content_type="audio/x-wav")


async def page(request: web.Request) -> web.StreamResponse:
    return web.Response(text="<h1>maintenance</h1>", content_type="text/html")


def status(code: int, **headers: str) -> Answer:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(status=code, headers=headers)

    return answer


def _headers(length: int) -> dict[str, str]:
    return {"Content-Type": "audio/x-wav", "Content-Length": str(length)}


@asynccontextmanager
async def providing() -> AsyncIterator[AudioProvider]:
    """The provider on two addresses: its own, and that of another host."""
    provider, app = AudioProvider(), web.Application()
    app.router.add_get("/{path:.*}", provider.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        await web.TCPSite(runner, "127.0.0.2", 0).start()
        provider.url, provider.other_url = (f"http://{h}:{p}" for h, p in runner.addresses)
        yield provider
    finally:
        provider.go_on.set()
        await runner.cleanup()
