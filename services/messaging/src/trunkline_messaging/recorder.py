"""The pen of a sender: results that come at once share a commit, and none is let go."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence

from trunkline_common.db import Database
from trunkline_common.db.together import Together
from trunkline_common.loops import backoff
from trunkline_messaging.records import Recorded, record

log = logging.getLogger(__name__)


class Recorder:
    """Writes results in the order they come. A database that is away is waited for."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._results: Together[Recorded] = Together(self._write_until_done)

    async def write(self, results: Iterable[Recorded]) -> None:
        """Return once the results are durable."""
        await self._results.add_all(results)

    async def _write_until_done(self, batch: Sequence[Recorded]) -> None:
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
