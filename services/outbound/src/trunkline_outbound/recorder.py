"""The pen of a dispatcher: results queue up and are written in batches until they are written."""

from __future__ import annotations

import asyncio
import logging

from trunkline_common.db import Database
from trunkline_outbound.domain.classification import Result
from trunkline_outbound.records import Recorded, record

log = logging.getLogger(__name__)

BATCH = 200
RETRY_SECONDS = 0.5


class Recorder:
    """Writes results in the order they come. A database that is away is waited for."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._queue: asyncio.Queue[tuple[Recorded, asyncio.Event] | None] = asyncio.Queue()

    async def write(self, attempt_id: str, result: Result) -> None:
        """Return once the result is durable."""
        written = asyncio.Event()
        self._queue.put_nowait((Recorded(attempt_id, result), written))
        await written.wait()

    def close(self) -> None:
        """Let `run` end once everything queued is written."""
        self._queue.put_nowait(None)

    async def run(self) -> None:
        """Write until closed."""
        while True:
            first = await self._queue.get()
            if first is None:
                return
            batch = [first]
            closing = False
            while len(batch) < BATCH and not self._queue.empty():
                entry = self._queue.get_nowait()
                if entry is None:
                    closing = True
                    break
                batch.append(entry)
            await self._write_until_done([recorded for recorded, _ in batch])
            for _, written in batch:
                written.set()
            if closing:
                return

    async def _write_until_done(self, batch: list[Recorded]) -> None:
        """Facts are worth waiting for: a callback may never repeat what the answer said."""
        while True:
            try:
                await record(self._database, batch)
            except Exception:  # any failure of the database: the batch is kept
                log.exception("dispatch.record_failed", extra={"results": len(batch)})
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return
