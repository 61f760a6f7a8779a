"""The work of a peer: one request to the provider, then its outcome in PostgreSQL, committed.

For the peers' own environment: nothing of Trunkline can be imported here. The client is pyreqwest,
blocking or not: of those tried it takes the least CPU time for a request.
"""

from __future__ import annotations

import os
from base64 import b64encode
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import asyncpg
import psycopg_pool
from pyreqwest.client import ClientBuilder, SyncClientBuilder

BROKER = os.environ["BENCH_BROKER"]
DATABASE = os.environ["BENCH_DATABASE"]
IN_FLIGHT = int(os.environ["BENCH_IN_FLIGHT"])
JOBS = int(os.environ.get("BENCH_JOBS", "0"))
CONNECTIONS = 20

_ACCOUNT = "AC" + "0" * 32
_URL = f"{os.environ['BENCH_PROVIDER']}/2010-04-01/Accounts/{_ACCOUNT}/Calls.json"
_CALLBACK = "http://api.test/callbacks/twilio/" + "x" * 150
_TIMEOUT = timedelta(seconds=30)
_HEADERS = {
    "Authorization": "Basic " + b64encode(f"{_ACCOUNT}:secret".encode()).decode(),
    "Content-Type": "application/x-www-form-urlencoded",
    "Accept": "application/json",
}
_SET = "UPDATE bench_jobs SET state = 'accepted', done_at = clock_timestamp(), sid = "
_STATUS_EVENTS = ("initiated", "ringing", "answered", "completed")


def contacts() -> list[tuple[int, str]]:
    """Everybody who is to be called: their number and their address."""
    return [(seq, f"+1202555{seq:08}") for seq in range(1, JOBS + 1)]


def _form(address: str) -> bytes:
    fields = [
        ("To", address),
        ("From", "+15005550006"),
        ("Url", f"{_CALLBACK}/twiml"),
        ("Method", "POST"),
        ("StatusCallback", f"{_CALLBACK}/status"),
        ("StatusCallbackMethod", "POST"),
        *(("StatusCallbackEvent", event) for event in _STATUS_EVENTS),
        ("Timeout", "60"),
        ("TimeLimit", "3600"),
    ]
    return urlencode(fields).encode()


class AsyncWork:
    """For a framework on asyncio."""

    async def open(self) -> None:
        """Connect, in the loop that the work is done in."""
        builder = ClientBuilder().timeout(_TIMEOUT).default_headers(_HEADERS)
        self._http = builder.error_for_status().build()
        self._pool: Any = await asyncpg.create_pool(
            DATABASE, min_size=CONNECTIONS, max_size=CONNECTIONS
        )

    async def do(self, seq: int, address: str) -> None:
        """Call one contact, and keep what came of it."""
        answer = await self._http.post(_URL).body_bytes(_form(address)).build().send()
        said = await answer.json()
        await self._pool.execute(f"{_SET} $2 WHERE seq = $1", seq, said["sid"])


class BlockingWork:
    """For a framework on threads."""

    def __init__(self) -> None:
        builder = SyncClientBuilder().timeout(_TIMEOUT).default_headers(_HEADERS)
        self._http = builder.error_for_status().build()
        self._pool = psycopg_pool.ConnectionPool(
            DATABASE, min_size=CONNECTIONS, max_size=CONNECTIONS, kwargs={"autocommit": True}
        )

    def do(self, seq: int, address: str) -> None:
        """Call one contact, and keep what came of it."""
        answer = self._http.post(_URL).body_bytes(_form(address)).build().send()
        said = answer.json()
        with self._pool.connection() as connection:
            connection.execute(f"{_SET} %s WHERE seq = %s", (said["sid"], seq))
