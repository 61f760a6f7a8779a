"""How far runs are: what outbound says, folded into the rows of runs."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, Final

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_api.domain.paces import Sample, ended_of, remember
from trunkline_api.domain.states import turn_rank
from trunkline_api.store.runs import CHANGED
from trunkline_common.contracts.outbound import (
    JobEnded,
    RunCancelled,
    RunCompleted,
    RunFailed,
    RunPolicyChanged,
    RunProgressed,
)
from trunkline_common.db.transaction import wake_after_commit

_RECENT: Final = text(
    """
SELECT recent FROM runs WHERE business_id = :business_id AND id = :run_id FOR NO KEY UPDATE
"""
)
_STARTED: Final = text(
    """
UPDATE runs
   SET state = CASE WHEN state IN ('draft', 'scheduled', 'starting') THEN 'running'
                    ELSE state END,
       total = CASE WHEN progress_version = 0 THEN :total ELSE total END,
       rejects = :rejects, started_at = least(started_at, :at),
       recent = CAST(:recent AS jsonb)
 WHERE business_id = :business_id AND id = :run_id
RETURNING id
"""
)
_REJECTED: Final = text(
    """
UPDATE runs
   SET state = CASE WHEN state IN ('cancelled', 'completed', 'failed') THEN state
                    ELSE 'rejected' END,
       reason = greatest(reason, :reason), ended_at = least(ended_at, :at)
 WHERE business_id = :business_id AND id = :run_id
RETURNING id
"""
)
# A progress that was overtaken changes nothing; the row is still found, so the run is known. Of two
# with one version the greater counts stay: which of them came first must not matter.
_PROGRESSED: Final = text(
    """
UPDATE runs
   SET state = CASE WHEN CAST(:over AS text) IS NOT NULL THEN :over
                    WHEN state IN ('draft', 'scheduled', 'starting') THEN 'running'
                    ELSE state END,
       reason = coalesce(:reason, reason),
       ended_at = CASE WHEN CAST(:over AS text) IS NOT NULL THEN least(ended_at, :at)
                       ELSE ended_at END,
       (progress_version, total, states, outcomes) = (
           SELECT version, total, states, outcomes
             FROM (VALUES (progress_version, runs.total, runs.states, runs.outcomes),
                          (CAST(:version AS bigint), CAST(:total AS integer),
                           CAST(:states AS jsonb), CAST(:outcomes AS jsonb)))
                  AS said (version, total, states, outcomes)
            ORDER BY version DESC, states DESC, outcomes DESC, total DESC NULLS LAST LIMIT 1),
       recent = CAST(:recent AS jsonb)
 WHERE business_id = :business_id AND id = :run_id
RETURNING id
"""
)
# States come in any order: the highest step shows, and nothing comes after an end.
_MOVED: Final = text(
    """
UPDATE runs
   SET state = CASE WHEN :step > step AND ended_at IS NULL THEN :state ELSE state END,
       reason = CASE WHEN :step > step AND ended_at IS NULL THEN :reason ELSE reason END,
       step = greatest(step, :step)
 WHERE business_id = :business_id AND id = :run_id
RETURNING id
"""
)
# Of several edits the one of the highest step is in force; its start is what it asked for, as long
# as the run has not begun.
_IN_FORCE: Final = text(
    """
UPDATE runs
   SET policy = CASE WHEN :step > policy_step THEN CAST(:policy AS jsonb) ELSE policy END,
       start_at = CASE WHEN :step > policy_step AND state = 'scheduled'
                       THEN (SELECT CAST(asked ->> 'start_at' AS timestamptz) FROM run_controls
                              WHERE run_controls.id = :control_id
                                AND run_controls.business_id = :business_id)
                       ELSE start_at END,
       policy_step = greatest(policy_step, :step)
 WHERE business_id = :business_id AND id = :run_id
RETURNING id
"""
)
# A turn's end may be corrected by a late fact: of all that was said the highest rank holds.
_ENDED: Final = text(
    """
INSERT INTO run_contacts AS turn (run_id, seq, business_id, contact_id, rank, state, outcome,
                                  reason, ended_at)
VALUES (:run_id, :seq, :business_id, :contact_id, :rank, :state, :outcome, :reason, :at)
ON CONFLICT (run_id, seq) DO UPDATE
   SET (rank, state, outcome, reason, ended_at) = (
           SELECT rank, state, outcome, reason, ended_at
             FROM (VALUES (turn.rank, turn.ended_at, turn.state, turn.outcome, turn.reason),
                          (excluded.rank, excluded.ended_at, excluded.state, excluded.outcome,
                           excluded.reason))
                  AS said (rank, ended_at, state, outcome, reason)
            ORDER BY rank DESC, ended_at DESC, state DESC, outcome DESC NULLS LAST, reason DESC
            LIMIT 1)
 WHERE turn.business_id = excluded.business_id
RETURNING seq
"""
)


async def started(
    session: AsyncSession, business_id: str, run_id: str, *, total: int, rejects: int, at: datetime
) -> bool:
    """The audience is frozen; False where the business has no such run."""
    values = {
        "business_id": business_id,
        "run_id": run_id,
        "total": total,
        "rejects": rejects,
        "at": at,
    }
    return await _sampled(session, _STARTED, values, Sample(at.timestamp(), 0))


async def rejected(
    session: AsyncSession, business_id: str, run_id: str, *, reason: str, at: datetime
) -> bool:
    """The run can never start; False where the business has no such run."""
    values = {"business_id": business_id, "run_id": run_id, "reason": reason, "at": at}
    return await _changed(session, _REJECTED, values)


async def moved(
    session: AsyncSession,
    business_id: str,
    run_id: str,
    state: str,
    step: int,
    reason: str | None = None,
) -> bool:
    """A run's state by its highest step; False where the business has no such run."""
    values = {
        "business_id": business_id,
        "run_id": run_id,
        "state": state,
        "step": step,
        "reason": reason,
    }
    return await _changed(session, _MOVED, values)


async def policy_in_force(session: AsyncSession, business_id: str, event: RunPolicyChanged) -> bool:
    """Show the policy that outbound goes by; False where the business has no such run."""
    policy = {name: value for name, value in event.policy.items() if value is not None}
    values = {
        "business_id": business_id,
        "run_id": event.run_id,
        "control_id": event.control_id,
        "step": event.step,
        "policy": json.dumps(policy),
    }
    return await _changed(session, _IN_FORCE, values)


async def progressed(
    session: AsyncSession, business_id: str, event: RunProgressed, *, at: datetime
) -> bool:
    """Newer counts replace older ones; False where the business has no such run."""
    return await _counted(session, business_id, event, over=None, reason=None, at=at)


async def over(
    session: AsyncSession,
    business_id: str,
    event: RunCompleted | RunCancelled | RunFailed,
    *,
    state: str,
    at: datetime,
) -> bool:
    """The run has ended like this; False where the business has no such run."""
    reason = None if isinstance(event, RunCompleted) else event.reason
    return await _counted(session, business_id, event, over=state, reason=reason, at=at)


async def _counted(
    session: AsyncSession,
    business_id: str,
    event: RunProgressed | RunCompleted | RunCancelled | RunFailed,
    *,
    over: str | None,
    reason: str | None,
    at: datetime,
) -> bool:
    values = {
        "business_id": business_id,
        "run_id": event.run_id,
        "version": event.version,
        "total": event.total,
        "states": json.dumps(event.states),
        "outcomes": json.dumps(event.outcomes),
        "over": over,
        "reason": reason,
        "at": at,
    }
    sample = Sample(at.timestamp(), ended_of(event.states))
    return await _sampled(session, _PROGRESSED, values, sample)


async def _sampled(
    session: AsyncSession, statement: TextClause, values: dict[str, Any], sample: Sample
) -> bool:
    """Change a run, and remember how many turns were over by then."""
    recent = (await session.execute(_RECENT, values)).scalar()
    if recent is None:
        return False
    samples = remember([Sample(at, ended) for at, ended in recent], sample)
    return await _changed(session, statement, {**values, "recent": json.dumps(samples)})


async def _changed(session: AsyncSession, statement: TextClause, values: dict[str, Any]) -> bool:
    """Change a run and wake whoever watches; False where the business has no such run."""
    wake_after_commit(session, CHANGED)
    return (await session.execute(statement, values)).first() is not None


async def turn_ended(
    session: AsyncSession, business_id: str, event: JobEnded, *, at: datetime
) -> bool:
    """One contact's turn is over; False where the turn is another business's."""
    rank = turn_rank(event.state, event.outcome)
    values = {**event.model_dump(), "business_id": business_id, "rank": rank, "at": at}
    return (await session.execute(_ENDED, values)).first() is not None
