"""The pen of a dispatcher: results that come at once share a commit, and none is let go."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence

from trunkline_common.db import Database
from trunkline_common.db.retry import retried
from trunkline_common.db.together import Together
from trunkline_outbound.domain.classification import Result
from trunkline_outbound.records import Recorded, record

log = logging.getLogger(__name__)

RETRY_SECONDS = 0.5
SPACING = 0.04  # seconds between the commits of a busy worker: no request waits for them


class Recorder:
    """Writes results in the order they come. A database that is away is waited for."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._results: Together[Recorded] = Together(self._write_until_done, spacing=SPACING)

    async def write(self, run_id: str, attempt_ids: Iterable[str], result: Result) -> None:
        """Return once it is durable that this came of these attempts of a run."""
        await self._results.add_all(
            Recorded(attempt_id, run_id, result) for attempt_id in attempt_ids
        )

    async def _write_until_done(self, batch: Sequence[Recorded]) -> None:
        """Facts are worth waiting for: a callback may never repeat what the answer said."""
        while True:
            try:
                await retried("record", lambda: record(self._database, batch))
            except Exception:  # any failure of the database: the batch is kept
                log.exception("dispatch.record_failed", extra={"results": len(batch)})
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return
