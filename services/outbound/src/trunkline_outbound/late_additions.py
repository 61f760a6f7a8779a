"""An addition whose pieces stay away is told, and let go of in the end: no run waits for ever.

A piece that died is found in the dead queue, and replayed it goes on as if it had come in time.
"""

from __future__ import annotations

import logging
from typing import Final

from prometheus_client import Counter
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_common.contracts.runs import RunAdditionEnded
from trunkline_common.db import Database, outbox, transaction
from trunkline_common.db.outbox import Fact
from trunkline_common.db.transaction import wake_after_commit
from trunkline_outbound.runs import ENDED
from trunkline_outbound.store import late_additions as store
from trunkline_outbound.store import runs

log = logging.getLogger(__name__)

BATCH: Final = 100
LATE: Final = 900.0  # past every redelivery of a message: what is not here by then is dead
PIECES_MISSING: Final = "pieces_missing"

ENDS = Counter("trunkline_additions_late_total", "Additions whose pieces stay away", ["step"])


async def watch_additions(database: Database, *, horizon: float) -> None:
    """Tell of additions that are late, once a silence, and end those past the horizon (seconds)."""
    async with transaction(database) as session:
        late = await store.alarm(session, quiet=LATE, batch=BATCH)
    for addition in late:
        ENDS.labels("late").inc()
        about = {"run_id": addition.run_id, "control": addition.control_id}
        log.error("run.addition_late", extra=about)
    async with transaction(database) as session:
        overdue = await store.overdue(session, quiet=horizon, batch=BATCH)
    for run_id in overdue:
        async with transaction(database) as session:
            ended = await let_go(session, run_id, quiet=horizon, refused=PIECES_MISSING)
        if ended:
            ENDS.labels("let_go").inc(ended)
            log.error("run.addition_let_go", extra={"run_id": run_id, "additions": ended})


async def let_go(session: AsyncSession, run_id: str, *, quiet: float = 0.0, refused: str) -> int:
    """End a run's open additions under its cursor's lock, and answer those who asked; how many."""
    cursor = await runs.lock_cursor(session, run_id)
    run = await runs.get_run(session, run_id)
    if cursor is None or run is None:
        return 0
    ended = await store.let_go(session, run_id, quiet=quiet)
    facts = [
        Fact(
            RunAdditionEnded(
                run_id=run_id,
                control_id=addition.control_id,
                added=addition.added,
                rejects=addition.rejects,
                total=cursor.total,
                refused=refused,
            ),
            run.business_id,
            run.correlation_id,
            traceparent=run.traceparent,
        )
        for addition in ended
    ]
    await outbox.add_all(session, facts)
    wake_after_commit(session, ENDED)  # they kept the run from completing
    return len(ended)
