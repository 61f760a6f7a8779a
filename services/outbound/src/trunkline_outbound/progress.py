"""How far each run is: counted from the jobs' states, told at most once a run and second."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_common.contracts.outbound import RunProgressed
from trunkline_common.db import Database, outbox, transaction
from trunkline_common.db.outbox import Fact
from trunkline_common.db.transaction import name_commit
from trunkline_outbound.braking import brake
from trunkline_outbound.domain.pausing import ends_of
from trunkline_outbound.store import jobs, recounts, runs

MIN_INTERVAL = 1.0
COST_SHARE = 20  # a count that takes a second is made at most every twenty

_DUE = text(
    """
SELECT run.run_id, run.progress, run.progress_version, cursor.total, NULL AS number
  FROM runs AS run JOIN cursors AS cursor USING (run_id)
 WHERE run.state IN ('running', 'paused', 'cancelling')
   AND run.progress_due <= clock_timestamp()
 ORDER BY run.progress_due LIMIT 20
"""
)
# What comes after a run's end changes what it came to. While it is under way its next count, or
# its last, has it anyway; but the last may have begun before: so the row stays until then.
_LATE = text(
    """
SELECT run.run_id, NULL AS progress, run.progress_version, cursor.total, late.number
  FROM recounts AS late JOIN runs AS run USING (run_id) JOIN cursors AS cursor USING (run_id)
 WHERE run.state IN ('completed', 'cancelled', 'failed')
   AND late.number > late.counted AND late.due_at <= clock_timestamp()
 ORDER BY late.due_at LIMIT 20
"""
)
_TOLD = text(
    """
UPDATE runs SET progress = CAST(:progress AS jsonb), progress_version = :version,
       progress_due = clock_timestamp() + make_interval(secs => :wait)
 WHERE run_id = :run_id AND progress_version = :before
RETURNING run_id
"""
)


async def tell_progress(database: Database) -> bool:
    """Count the runs that are due, and tell of those that changed; whether there was any."""
    async with transaction(database) as session:
        due = [*(await session.execute(_DUE)).all(), *(await session.execute(_LATE)).all()]
    for row in due:
        async with transaction(database) as session:
            run = await runs.get_run(session, row.run_id)
            if run is None or run.progress_version != row.progress_version:
                continue  # another replica was faster
            ends = await _tell(session, run, row.progress, row.total, late=row.number)
        if run.policy.auto_pause is not None and run.state == "running":
            await brake(database, run.run_id, ends)
    return bool(due)


async def _tell(
    session: AsyncSession, run: runs.Run, told: object, total: int, *, late: int | None = None
) -> Mapping[str, int]:
    """Count the run, and tell of it if it changed; those who ended, by outcome.

    `late`: how many words had come to jobs that had ended, when it was looked for.
    """
    began = time.perf_counter()
    states, outcomes = await jobs.count_states(session, run.run_id)
    cost = time.perf_counter() - began
    progress = {"states": states, "outcomes": outcomes}
    before = json.loads(told) if isinstance(told, str) else told
    version = run.progress_version + (progress != before)
    wait = max(MIN_INTERVAL, cost * COST_SHARE)
    parameters = {
        "run_id": run.run_id,
        "progress": json.dumps(progress),
        "version": version,
        "before": run.progress_version,
        "wait": wait,
    }
    # Whoever took a version since then has counted later; what we counted is worth nothing.
    ours = (await session.execute(_TOLD, parameters)).first() is not None
    if ours and late is not None:
        await recounts.counted(session, run.run_id, late, wait=wait)
    if ours and progress != before:
        name_commit(session, "outbound.progress")
        event = RunProgressed(
            run_id=run.run_id, version=version, total=total, states=states, outcomes=outcomes
        )
        fact = Fact(event, run.business_id, run.correlation_id, traceparent=run.traceparent)
        await outbox.add(session, fact)
    return ends_of(states, outcomes)
