"""The pen of a sender: results queue up and are written in batches until they are written."""

from __future__ import annotations

import asyncio
import logging

from trunkline_common.db import Database
from trunkline_common.loops import backoff
from trunkline_messaging.records import Recorded, record

log = logging.getLogger(__name__)

BATCH = 200


class Recorder:
    """Writes results in the order they come. A database that is away is waited for."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._queue: asyncio.Queue[tuple[Recorded, asyncio.Event] | None] = asyncio.Queue()

    async def write(self, recorded: Recorded) -> None:
        """Return once the result is durable."""
        await self.submit(recorded).wait()

    def submit(self, recorded: Recorded) -> asyncio.Event:
        """Have a result written; the event is set once it is."""
        written = asyncio.Event()
        self._queue.put_nowait((recorded, written))
        return written

    def close(self) -> None:
        """Let `run` end once everything queued is written."""
        self._queue.put_nowait(None)

    async def run(self) -> None:
        """Write until closed."""
        closing = False
        while not closing:
            batch: list[tuple[Recorded, asyncio.Event]] = []
            entry = await self._queue.get()
            while entry is not None:
                batch.append(entry)
                if len(batch) == BATCH or self._queue.empty():
                    break
                entry = self._queue.get_nowait()
            closing = entry is None
            if batch:
                await self._write_until_done([recorded for recorded, _ in batch])
            for _, written in batch:
                written.set()

    async def _write_until_done(self, batch: list[Recorded]) -> None:
        """Facts are worth waiting for: no status may ever repeat what the answer said."""
        failures = 0
        while True:
            try:
                await record(self._database, batch)
            except Exception:  # any failure of the database: the batch is kept
                failures += 1
                log.exception("send.record_failed", extra={"results": len(batch)})
                await asyncio.sleep(backoff(failures))
            else:
                return
