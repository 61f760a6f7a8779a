"""What dispatch is measured against: a bare loop, and the previous system's way.

Both make the requests that dispatch makes, by the same client, and keep what was answered in
PostgreSQL; neither promises anything. The figures go to standard output as JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

import aiohttp
import asyncpg
import uvloop
from tests.benchmarks.processes import tree
from tests.benchmarks.stage import ACCOUNT, SENDER, usage

from trunkline_outbound.gateways.twilio import STATUS_EVENTS

SECONDS = 30.0
_BATCH = 200
_CALLBACK = "http://api.test/callbacks/twilio/" + "x" * 150
_TABLE = """
CREATE TABLE bench_jobs (seq bigint PRIMARY KEY, address text NOT NULL, sid text,
                         state text NOT NULL DEFAULT 'queued', done_at timestamptz)
"""
_FILL = """
INSERT INTO bench_jobs SELECT n, '+1202555' || lpad(n::text, 8, '0')
  FROM generate_series(1, $1::bigint) AS n
"""
_WRITE = """
UPDATE bench_jobs SET state = 'accepted', sid = said.sid, done_at = clock_timestamp()
  FROM unnest($1::bigint[], $2::text[]) AS said (seq, sid) WHERE bench_jobs.seq = said.seq
"""
_CLAIM = """
SELECT seq, address FROM bench_jobs WHERE state = 'queued' ORDER BY seq LIMIT 1
   FOR UPDATE SKIP LOCKED
"""


class Caller:
    """Makes dispatch's requests, without the care."""

    def __init__(self, http: aiohttp.ClientSession, base: str) -> None:
        self._http = http
        self._url = f"{base}/2010-04-01/Accounts/{ACCOUNT}/Calls.json"
        self._headers = {
            "Authorization": aiohttp.encode_basic_auth(ACCOUNT, "secret"),
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
        }

    async def call(self, address: str) -> str:
        """Place one call; its id."""
        fields = [
            ("To", address),
            ("From", SENDER),
            ("Url", f"{_CALLBACK}/twiml"),
            ("Method", "POST"),
            ("StatusCallback", f"{_CALLBACK}/status"),
            ("StatusCallbackMethod", "POST"),
            *(("StatusCallbackEvent", event) for event in STATUS_EVENTS),
            ("Timeout", "60"),
            ("TimeLimit", "3600"),
        ]
        body = urlencode(fields).encode()
        async with self._http.post(self._url, data=body, headers=self._headers) as answer:
            return str(json.loads(await answer.read())["sid"])


async def lay_out(connection: Any, jobs: int) -> None:
    """A fresh table of so many jobs."""
    await connection.execute("DROP TABLE IF EXISTS bench_jobs")
    await connection.execute(_TABLE)
    await connection.execute(_FILL, jobs)
    await connection.execute("CREATE INDEX ON bench_jobs (seq) WHERE state = 'queued'")
    await connection.execute("VACUUM ANALYZE bench_jobs")


@asynccontextmanager
async def _opened(options: argparse.Namespace) -> AsyncIterator[tuple[Caller, asyncpg.Connection]]:
    connection = await asyncpg.connect(options.database, timeout=SECONDS, command_timeout=SECONDS)
    try:
        await lay_out(connection, options.jobs)
        limit = aiohttp.TCPConnector(limit=options.in_flight)
        timeout = aiohttp.ClientTimeout(total=SECONDS)
        async with aiohttp.ClientSession(connector=limit, timeout=timeout) as http:
            yield Caller(http, options.provider), connection
    finally:
        await connection.close(timeout=SECONDS)


async def batches(caller: Caller, connection: asyncpg.Connection, jobs: int, flying: int) -> None:
    """So many requests in flight at any time; their outcomes written in batches."""
    rows = await connection.fetch("SELECT seq, address FROM bench_jobs ORDER BY seq LIMIT $1", jobs)
    todo = iter(rows)
    said: list[tuple[int, str]] = []
    rung = asyncio.Event()

    async def fly() -> None:
        for row in todo:
            said.append((row["seq"], await caller.call(row["address"])))
            rung.set()

    async def write() -> None:
        written = 0
        while written < len(rows):
            await rung.wait()
            rung.clear()
            while said:
                batch = said[:_BATCH]
                del said[:_BATCH]
                seqs, sids = zip(*batch, strict=True)
                await connection.execute(_WRITE, list(seqs), list(sids))
                written += len(batch)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(write())
        for _ in range(flying):
            tasks.create_task(fly())


async def singly(caller: Caller, connection: asyncpg.Connection, jobs: int, _flying: int) -> None:
    """The previous system's way: one row is claimed, sent and committed at a time."""
    for _ in range(jobs):
        async with connection.transaction():
            row = await connection.fetchrow(_CLAIM)
            assert row is not None
            sid = await caller.call(row["address"])
            await connection.execute(_WRITE, [row["seq"]], [sid])


async def _measure(options: argparse.Namespace) -> None:
    way = {"bare": batches, "previous": singly}[options.way]
    async with _opened(options) as (caller, connection):
        database, before, began = tree(options.database_pid), usage("self"), time.monotonic()
        await way(caller, connection, options.jobs, options.in_flight)
        took, after = time.monotonic() - began, usage("self")
        others = tree(options.database_pid).cpu_seconds - database.cpu_seconds
    figures = {
        "seconds": took,
        "cpu_seconds": after.cpu_seconds - before.cpu_seconds,
        "peak_mib": after.peak_mib,
        "others": {"database": others},
    }
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("way", choices=["bare", "previous"])
    parser.add_argument("--database", required=True)
    parser.add_argument("--database-pid", type=int, required=True)
    parser.add_argument("--provider", required=True)
    parser.add_argument("--jobs", type=int, required=True)
    parser.add_argument("--in-flight", type=int, required=True)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_measure(parser.parse_args()))
