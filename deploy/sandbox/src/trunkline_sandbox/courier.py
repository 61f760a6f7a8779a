"""Requests that this provider makes to its customer: status callbacks, TwiML fetches, webhooks."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import aiohttp
from yarl import URL

Job = Callable[[], Awaitable[None]]

# A customer's answer is only read as TwiML; more than this is no document but an accident.
LARGEST_ANSWER = 64 * 1024


@dataclass(frozen=True, slots=True)
class Letter:
    """One request, its signature already among the headers."""

    url: str
    method: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back; `status` is 0 when nothing did and `problem` says why."""

    status: int
    text: str = ""
    problem: str = ""
    tries: int = 1

    @property
    def fine(self) -> bool:
        return 200 <= self.status < 300


class Courier:
    """A fixed number of hands that run jobs; jobs with one key run one after the other."""

    def __init__(self, hands: int, seconds: float) -> None:
        self._hands = hands
        self._seconds = seconds
        self._ready: asyncio.Queue[tuple[str, Job]] = asyncio.Queue()
        self._behind: dict[str, deque[Job]] = {}
        self._session: aiohttp.ClientSession | None = None

    def submit(self, key: str, job: Job) -> None:
        """Run `job` when a hand is free and every earlier job of this key is done."""
        waiting = self._behind.get(key)
        if waiting is not None:
            waiting.append(job)
            return
        self._behind[key] = deque()
        self._ready.put_nowait((key, job))

    async def run(self) -> None:
        """Work for ever."""
        connector = aiohttp.TCPConnector(limit=self._hands, keepalive_timeout=15)
        limits = aiohttp.ClientTimeout(total=self._seconds, connect=min(self._seconds, 5.0))
        async with (
            aiohttp.ClientSession(
                connector=connector,
                timeout=limits,
                trust_env=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": "TwilioProxy/1.1"},
            ) as session,
            asyncio.TaskGroup() as hands,
        ):
            self._session = session
            for _ in range(self._hands):
                hands.create_task(self._work())

    async def send(self, letter: Letter) -> Reply:
        """Make the request; once more only when no connection could be made, as Twilio does."""
        reply = await self._try(letter, tries=1)
        if reply.status == 0 and reply.problem == "connect":
            reply = await self._try(letter, tries=2)
        return reply

    async def _try(self, letter: Letter, tries: int) -> Reply:
        if self._session is None:
            return Reply(0, problem="courier is not running", tries=tries)
        try:
            async with self._session.request(
                letter.method,
                # The signature covers the exact text of the address: nothing may re-quote it.
                URL(letter.url, encoded=True),
                data=letter.body or None,
                headers=letter.headers,
                allow_redirects=False,
            ) as answer:
                raw = await answer.content.read(LARGEST_ANSWER)
                while raw and len(raw) < LARGEST_ANSWER and not answer.content.at_eof():
                    raw += await answer.content.read(LARGEST_ANSWER - len(raw))
                return Reply(answer.status, raw.decode("utf-8", "replace"), tries=tries)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
            return Reply(0, problem="connect", tries=tries)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            return Reply(0, problem=type(error).__name__, tries=tries)

    async def _work(self) -> None:
        while True:
            key, job = await self._ready.get()
            await job()
            behind = self._behind[key]
            if behind:
                self._ready.put_nowait((key, behind.popleft()))
            else:
                del self._behind[key]
