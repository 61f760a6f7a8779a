"""The events of a peer: how many, what is in each, and what is done with it.

For the peers' own environment: nothing of Trunkline can be imported here. The effect, where there
is one, is a row in PostgreSQL, committed by itself; else a handler does nothing.
"""

from __future__ import annotations

import itertools
import json
import os
import time
from pathlib import Path
from typing import Any

import asyncpg
import psycopg_pool

BROKER = os.environ["BENCH_BROKER"]
DATABASE = os.environ["BENCH_DATABASE"]
EVENTS = int(os.environ["BENCH_EVENTS"])
EFFECT = os.environ["BENCH_EFFECT"] == "1"
PREFETCH = int(os.environ["BENCH_PREFETCH"])
CONNECTIONS = 20

_TOLD = Path(os.environ["BENCH_TOLD"])
_ADD = "INSERT INTO bench_events (provider_call_id, attempt_id, status, body) VALUES "


def event(number: int) -> dict[str, Any]:
    """A fact of the size that callbacks have."""
    return {
        "provider_call_id": f"CA{number:032x}",
        "account": "AC" + "0" * 32,
        "channel_id": "chn_00000000000000000000000000",
        "attempt_id": f"att_{number:026d}",
        "status": "ringing",
        "sequence_number": 1,
        "duration": None,
        "answered_by": None,
        "error_code": None,
        "sip_code": None,
        "reported_at": "2026-01-01T00:00:00Z",
    }


class Counted:
    """Tells, once the last event is done, the time since the first one came: of the wall, and of
    this process's CPU.
    """

    def __init__(self) -> None:
        self._began = self._used = 0.0
        self._done = itertools.count(1)

    def begin(self) -> None:
        """An event has come."""
        if not self._began:
            self._began, self._used = time.monotonic(), time.process_time()

    def end(self) -> None:
        """An event is done."""
        if next(self._done) == EVENTS:
            took, used = time.monotonic() - self._began, time.process_time() - self._used
            _TOLD.write_text(json.dumps({"seconds": took, "cpu_seconds": used}) + "\n")


class AsyncEffect(Counted):
    """For a framework on asyncio."""

    async def open(self) -> None:
        """Connect, in the loop that the work is done in."""
        self._pool: Any = await asyncpg.create_pool(
            DATABASE, min_size=CONNECTIONS, max_size=CONNECTIONS
        )

    async def of(self, said: dict[str, Any]) -> None:
        """What one event leads to."""
        self.begin()
        if EFFECT:
            row = (said["provider_call_id"], said["attempt_id"], said["status"], json.dumps(said))
            await self._pool.execute(_ADD + "($1, $2, $3, $4)", *row)
        self.end()


class BlockingEffect(Counted):
    """For a framework on threads."""

    def open(self) -> None:
        """Connect."""
        self._pool = psycopg_pool.ConnectionPool(
            DATABASE, min_size=CONNECTIONS, max_size=CONNECTIONS, kwargs={"autocommit": True}
        )

    def of(self, said: dict[str, Any]) -> None:
        """What one event leads to."""
        self.begin()
        if EFFECT:
            row = (said["provider_call_id"], said["attempt_id"], said["status"], json.dumps(said))
            with self._pool.connection() as connection:
                connection.execute(_ADD + "(%s, %s, %s, %s)", row)
        self.end()
