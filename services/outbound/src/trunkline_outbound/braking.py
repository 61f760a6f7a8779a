"""A run pauses by itself when too many of its contacts end badly: through the gate, as any pause.

It is asked whenever a run's progress is counted, which is at most once a second.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from prometheus_client import Counter
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_common.contracts.limits import AutoPause
from trunkline_common.contracts.outbound import RunPaused
from trunkline_common.db import Database, outbox, transaction
from trunkline_common.db.outbox import Fact
from trunkline_common.db.transaction import wake_after_commit
from trunkline_outbound.controls import GATE
from trunkline_outbound.domain.controls import Do, rule
from trunkline_outbound.domain.pausing import Brake, reason_to_pause
from trunkline_outbound.store import brakes, claims, runs
from trunkline_outbound.store import controls as store

log = logging.getLogger(__name__)

PAUSED = Counter("trunkline_runs_auto_paused_total", "Runs that paused by themselves")


async def brake(database: Database, run_id: str, ends: Mapping[str, int]) -> bool:
    """Pause the run if these ends are too bad; whether it was paused.

    INVARIANT I4: the cursor is locked and every token revoked, as by a pause that was asked for.
    """
    async with transaction(database) as session:
        await runs.lock_cursor(session, run_id)
        run = await runs.get_run(session, run_id)
        if run is None or run.policy.auto_pause is None:
            return False
        before = await brakes.ended_before(session, run_id)
        reason = reason_to_pause(ends, before, _brake_of(run.policy.auto_pause))
        if reason is None or not isinstance(rule("pause", run.state), Do):
            return False
        await _pause(session, run, reason)
    PAUSED.inc()
    log.warning("run.auto_paused", extra={"run_id": run_id, "reason": reason})
    return True


async def _pause(session: AsyncSession, run: runs.Run, reason: str) -> None:
    step = await store.move(session, run.run_id, "paused", reason=reason)
    await claims.revoke_open(session, run.run_id)
    wake_after_commit(session, GATE)
    in_flight = await store.count_in_flight(session, run.run_id)
    event = RunPaused(run_id=run.run_id, step=step, reason=reason, in_flight=in_flight)
    fact = Fact(event, run.business_id, run.correlation_id, traceparent=run.traceparent)
    await outbox.add(session, fact)


def _brake_of(asked: AutoPause) -> Brake:
    return Brake(asked.share, asked.minimum, asked.outcomes)
