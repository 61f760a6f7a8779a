"""Whose turn it is: businesses in rotation, and the runs of each, oldest first."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from trunkline_common.db import Database, transaction
from trunkline_outbound.store import runs
from trunkline_outbound.store.runs import LiveRun


class Turns:
    """Rotation over businesses that have work, by when this worker last served each."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._served: dict[str, int] = {}
        self._count = itertools.count(1)

    async def candidates(self) -> list[str]:
        """Runs that may have a claim to hand out; the business served longest ago first."""
        async with transaction(self._database) as session:
            live = await runs.live_runs(session)
        return [run.run_id for run in in_turn(live, self._served)]

    def served(self, business_id: str) -> None:
        """Note that a business had its turn."""
        self._served[business_id] = next(self._count)


def in_turn(live: Sequence[LiveRun], served: Mapping[str, int]) -> list[LiveRun]:
    """Order runs so that no business is asked twice before another was asked once."""
    return sorted(live, key=lambda run: served.get(run.business_id, 0))
