"""A provider whose calls end: it takes a create-call, and later posts the final callback, signed.

It writes its port on standard output and ends when its standard input does; then it writes when
each request came and when each callback left, in seconds of the machine's monotonic clock.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
from dataclasses import asdict, dataclass, field

import aiohttp
from aiohttp import web
from twilio.request_validator import RequestValidator


@dataclass(slots=True)
class Times:
    """Of requests as they came, of callbacks as they left, and how long api took to thank."""

    requests: list[float] = field(default_factory=list)
    callbacks: list[float] = field(default_factory=list)
    thanks: list[float] = field(default_factory=list)
    refused: int = 0


class Line:
    """Answers at once; a call lasts as long as chance says, the same chance each time."""

    def __init__(
        self,
        client: aiohttp.ClientSession,
        calls: asyncio.TaskGroup,
        *,
        token: str,
        shortest: float,
    ) -> None:
        self._client = client
        self._calls = calls
        self._sign = RequestValidator(token).compute_signature
        self._shortest = shortest
        self._chance = random.Random(1)
        self.times = Times()

    async def create(self, request: web.Request) -> web.Response:
        """A call begins."""
        loop = asyncio.get_running_loop()
        self.times.requests.append(loop.time())
        form = await request.post()
        sid = f"CA{len(self.times.requests):032x}"
        lasts = self._shortest * self._chance.uniform(1, 3)
        said = {
            "CallSid": sid,
            "AccountSid": request.match_info["account"],
            "From": str(form["From"]),
            "To": str(form["To"]),
            "CallStatus": "completed",
            "CallDuration": "1",
            "SequenceNumber": "3",
        }
        end = self._end(loop.time() + lasts, str(form["StatusCallback"]), said)
        self._calls.create_task(end, name=sid)
        return web.json_response({"sid": sid, "status": "queued", "price": None}, status=201)

    async def _end(self, at: float, url: str, said: dict[str, str]) -> None:
        loop = asyncio.get_running_loop()
        over: asyncio.Future[None] = loop.create_future()
        loop.call_at(at, over.set_result, None)
        await over
        signed = {"X-Twilio-Signature": self._sign(url, said)}
        left = loop.time()
        self.times.callbacks.append(left)
        async with self._client.post(url, data=said, headers=signed) as thanks:
            self.times.refused += thanks.status >= 300
        self.times.thanks.append(loop.time() - left)


async def _serve(token: str, shortest: float) -> None:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    limit = aiohttp.ClientTimeout(total=30)
    async with aiohttp.ClientSession(timeout=limit) as client, asyncio.TaskGroup() as calls:
        line = Line(client, calls, token=token, shortest=shortest)
        app = web.Application()
        app.router.add_post("/2010-04-01/Accounts/{account}/Calls.json", line.create)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        sys.stdout.write(f"{runner.addresses[0][1]}\n")
        sys.stdout.flush()
        loop.add_reader(sys.stdin.fileno(), ended.set)
        await ended.wait()
        await runner.cleanup()
    sys.stdout.write(json.dumps(asdict(line.times)) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--token", default="secret")
    parser.add_argument("--shortest", type=float, default=0.25, help="call, in seconds; x3 longest")
    options = parser.parse_args()
    asyncio.run(_serve(options.token, options.shortest))
