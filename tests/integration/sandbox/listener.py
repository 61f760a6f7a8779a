"""A customer's web server: serves TwiML and remembers every request that the sandbox makes."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from aiohttp import web

TWIML = "<Response><Say>Your appointment is tomorrow at ten.</Say></Response>"


@dataclass(frozen=True)
class Heard:
    """One request to the customer."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    url: str

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))


@dataclass
class Listener:
    """Remembers; answers with TwiML under /script and with nothing elsewhere."""

    url: str = ""
    script: str = TWIML
    verifies: bool = True
    heard: list[Heard] = field(default_factory=list)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def answer(self, request: web.Request) -> web.Response:
        seen = Heard(
            method=request.method,
            path=request.path,
            query=dict(request.query),
            headers=dict(request.headers),
            body=await request.read(),
            url=f"{self.url}{request.rel_url}",
        )
        async with self.changed:
            self.heard.append(seen)
            self.changed.notify_all()
        if self.verifies and "hub.challenge" in request.query:
            return web.Response(text=request.query["hub.challenge"])
        if request.path.startswith("/script"):
            return web.Response(text=self.script, content_type="text/xml")
        return web.Response(status=204)

    def at(self, path: str) -> list[Heard]:
        return [each for each in self.heard if each.path == path]

    async def until(self, fact: Callable[[], bool], seconds: float = 10.0) -> None:
        """Wait for a fact about what was heard."""
        async with asyncio.timeout(seconds), self.changed:
            await self.changed.wait_for(fact)


@asynccontextmanager
async def listening() -> AsyncIterator[Listener]:
    """A listener on a free port."""
    listener = Listener()
    application = web.Application()
    application.router.add_route("*", "/{tail:.*}", listener.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        listener.url = f"http://{host}:{port}"
        yield listener
    finally:
        await runner.cleanup()
