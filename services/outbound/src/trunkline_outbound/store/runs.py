"""Runs and their cursors. The cursor row is a run's gate: whoever holds it decides alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_common.contracts.api import RunContent, RunPolicy, RunRequested
from trunkline_common.db import pace
from trunkline_outbound.domain.budgets import Budget
from trunkline_outbound.domain.states import RUN_NEXT, before

UNLIMITED = 2_000_000_000

_INSERT = text(
    """
INSERT INTO runs (run_id, business_id, display_name, channel, channel_id, content, policy,
                  start_at, correlation_id, traceparent)
VALUES (:run_id, :business_id, :display_name, :channel, :channel_id, CAST(:content AS jsonb),
        CAST(:policy AS jsonb), :start_at, :correlation_id, :traceparent)
ON CONFLICT (run_id) DO NOTHING
"""
)
_OPEN_CURSOR = text(
    "INSERT INTO cursors (run_id, business_id) VALUES (:run_id, :business_id)"
    " ON CONFLICT (run_id) DO NOTHING"
)
_CAP = text(
    """
INSERT INTO limits (kind, id, cap) VALUES ('run', :run_id, :cap)
ON CONFLICT (kind, id) DO UPDATE SET cap = excluded.cap
"""
)
_LOCK_CURSOR = text("SELECT next_seq, total FROM cursors WHERE run_id = :run_id FOR NO KEY UPDATE")
_RUN = text(
    """
SELECT run_id, business_id, channel, channel_id, content, policy, state, correlation_id,
       traceparent, start_at > clock_timestamp() AS is_early, progress_version
  FROM runs WHERE run_id = :run_id
"""
)
TERMS = """CAST(runs.policy AS text), businesses.time_zone, businesses.holidays,
       businesses.budget_most, businesses.budget_days"""
_LIVE = text(
    """
SELECT run.run_id, run.business_id, due.now OR EXISTS (
           SELECT FROM claims WHERE claims.run_id = run.run_id AND claims.closed_at IS NULL
              AND claims.expires_at <= clock_timestamp()
              AND (claims.kind = 'due' OR claims.owner IS NOT NULL)) AS is_urgent,
       coalesce(business.weight, 1) AS weight
  FROM runs AS run JOIN cursors AS cursor USING (run_id)
  LEFT JOIN businesses AS business ON business.business_id = run.business_id,
       LATERAL (SELECT EXISTS (SELECT FROM jobs
                                WHERE jobs.run_id = run.run_id AND jobs.state = 'waiting'
                                  AND jobs.due_at <= statement_timestamp()) AS now) AS due
 WHERE run.state = 'running'
   AND (cursor.next_seq <= cursor.total OR due.now
        OR EXISTS (SELECT FROM claims WHERE claims.run_id = run.run_id
                      AND claims.closed_at IS NULL AND claims.expires_at <= clock_timestamp()))
 ORDER BY is_urgent DESC, run.started_at, run.run_id
"""
)
# A cursor that has moved although the run never started: its closing was broken off.
_HOPELESS = text(
    """
SELECT run.run_id FROM runs AS run JOIN cursors AS cursor USING (run_id)
 WHERE run.state = 'ready' AND coalesce(run.start_at <= clock_timestamp(), true)
   AND run.created_at < clock_timestamp() - make_interval(secs => :seconds)
   AND (cursor.next_seq > 1 OR NOT EXISTS (
        SELECT FROM channels WHERE channels.channel_id = run.channel_id
           AND channels.business_id = run.business_id))
 ORDER BY run.run_id
"""
)
_SET_STATE = text(
    """
UPDATE runs
   SET state = :state, reason = :reason,
       started_at = CASE WHEN :state = 'running' THEN coalesce(started_at, clock_timestamp())
                         ELSE started_at END,
       ended_at = CASE WHEN :state IN ('completed', 'cancelled', 'failed')
                       THEN clock_timestamp() END
 WHERE run_id = :run_id AND state = ANY (CAST(:befores AS text[]))
"""
)
_NEXT_VERSION = text(
    """
UPDATE runs SET progress_version = progress_version + 1 WHERE run_id = :run_id
RETURNING progress_version
"""
)
_ADVANCE = text("UPDATE cursors SET next_seq = :next_seq WHERE run_id = :run_id")
_GROW = text("UPDATE cursors SET total = :total WHERE run_id = :run_id")
# Asked run by run, not joined: a join might look into every month.
_COMPLETABLE = text(
    """
SELECT run.run_id FROM runs AS run JOIN cursors AS cursor USING (run_id)
 WHERE run.state IN ('running', 'paused') AND cursor.next_seq > cursor.total
   AND NOT EXISTS (SELECT FROM claims WHERE claims.run_id = run.run_id
                      AND claims.closed_at IS NULL)
   AND NOT (SELECT EXISTS (SELECT FROM jobs WHERE jobs.run_id = run.run_id
                              AND jobs.state = 'waiting'))
   AND NOT (SELECT EXISTS (SELECT FROM jobs WHERE jobs.run_id = run.run_id
                              AND jobs.state IN ('sending', 'in_doubt', 'accepted')))
"""
)
_OPEN_WORK = text(
    """
SELECT EXISTS (SELECT FROM claims WHERE run_id = :run_id AND closed_at IS NULL)
    OR EXISTS (SELECT FROM jobs WHERE run_id = :run_id AND state = 'waiting')
    OR EXISTS (SELECT FROM jobs WHERE run_id = :run_id
                  AND state IN ('sending', 'in_doubt', 'accepted'))
"""
)


@dataclass(frozen=True, slots=True)
class Run:
    """One run as the loops need it; `traceparent` is the request's that started it.

    `is_early`: its start time lies ahead on the database's clock.
    """

    run_id: str
    business_id: str
    channel: str
    channel_id: str
    content: RunContent
    policy: RunPolicy
    state: str
    correlation_id: str
    traceparent: str | None
    is_early: bool | None
    progress_version: int


@dataclass(frozen=True, slots=True)
class Terms:
    """A run's policy in force, and its business's zone (if it is known), days off and budget."""

    policy: RunPolicy
    time_zone: str | None
    holidays: frozenset[date]
    budget: Budget | None


@dataclass(frozen=True, slots=True)
class Cursor:
    """A run's cursor, locked: `next_seq` is the first job that no range claim has carved."""

    next_seq: int
    total: int


@dataclass(frozen=True, slots=True)
class LiveRun:
    """A running run that has something to hand out, read without a lock.

    `is_urgent`: retries are due, or a lost worker's claim is to be taken over. `weight` is its
    business's.
    """

    run_id: str
    business_id: str
    is_urgent: bool
    weight: float = 1.0


async def insert_run(
    session: AsyncSession,
    event: RunRequested,
    *,
    business_id: str,
    correlation_id: str,
    traceparent: str | None,
) -> None:
    """Write down a requested run as draft, with its gate; a repetition changes nothing."""
    parameters = {
        "run_id": event.run_id,
        "business_id": business_id,
        "display_name": event.display_name,
        "channel": event.channel,
        "channel_id": event.channel_id,
        "content": event.content.model_dump_json(),
        "policy": event.policy.model_dump_json(),
        "start_at": event.start_at,
        "correlation_id": correlation_id,
        "traceparent": traceparent,
    }
    await session.execute(_INSERT, parameters)
    await session.execute(_OPEN_CURSOR, {"run_id": event.run_id, "business_id": business_id})
    # Also without a cap: the row counts what is in the air, and a cap may come with an edit.
    cap = UNLIMITED if event.policy.concurrent is None else event.policy.concurrent
    await session.execute(_CAP, {"run_id": event.run_id, "cap": cap})
    if event.policy.per_second is not None:
        await pace.set_pace(session, event.run_id, event.policy.per_second)


async def lock_cursor(session: AsyncSession, run_id: str) -> Cursor | None:
    """Hold the run's gate until the transaction ends."""
    row = (await session.execute(_LOCK_CURSOR, {"run_id": run_id})).first()
    return None if row is None else Cursor(row.next_seq, row.total)


async def get_run(session: AsyncSession, run_id: str) -> Run | None:
    """The run as it stands now; read it after locking its cursor to rely on its state."""
    row = (await session.execute(_RUN, {"run_id": run_id})).mappings().first()
    if row is None:
        return None
    fields: dict[str, Any] = dict(row)
    fields["content"] = RunContent.model_validate(_json(row["content"]))
    fields["policy"] = RunPolicy.model_validate(_json(row["policy"]))
    return Run(**fields)


def terms_of(row: Sequence[Any]) -> Terms:
    """What holds for a run: the columns TERMS."""
    policy, time_zone, holidays, most, days = row
    budget = None if most is None else Budget(most, timedelta(days=days))
    return Terms(_policy(policy), time_zone, frozenset(holidays or ()), budget)


async def live_runs(session: AsyncSession) -> Sequence[LiveRun]:
    """Running runs with something to hand out: the urgent first, then the oldest."""
    return [LiveRun(*row) for row in await session.execute(_LIVE)]


async def hopeless(session: AsyncSession, *, seconds: float) -> Sequence[str]:
    """Runs that are due, requested this long ago, and whose channel is still unknown."""
    return list((await session.execute(_HOPELESS, {"seconds": seconds})).scalars())


async def set_state(
    session: AsyncSession, run_id: str, state: str, *, reason: str | None = None
) -> None:
    """Move a run to a state that may follow its own; its cursor is locked by the caller."""
    parameters = {"run_id": run_id, "state": state, "reason": reason}
    await session.execute(_SET_STATE, parameters | {"befores": before(RUN_NEXT, state)})


async def next_version(session: AsyncSession, run_id: str) -> int:
    """The version of what is told of a run next: greater than every one before, and taken."""
    return int((await session.execute(_NEXT_VERSION, {"run_id": run_id})).scalar_one())


async def advance(session: AsyncSession, run_id: str, next_seq: int) -> None:
    """Move the cursor; it is locked by the caller."""
    await session.execute(_ADVANCE, {"run_id": run_id, "next_seq": next_seq})


async def grow(session: AsyncSession, run_id: str, total: int) -> None:
    """Raise the number of jobs; the cursor is locked by the caller."""
    await session.execute(_GROW, {"run_id": run_id, "total": total})


async def completable(session: AsyncSession) -> Sequence[str]:
    """Runs that look finished, read without a lock: a hint for the completion."""
    return list((await session.execute(_COMPLETABLE)).scalars())


async def has_open_work(session: AsyncSession, run_id: str) -> bool:
    """Whether a claim is open or a job is not final. Jobs no claim has carved are not asked."""
    return bool((await session.execute(_OPEN_WORK, {"run_id": run_id})).scalar())


@lru_cache(1_000)
def _policy(written: str) -> RunPolicy:
    """A policy as its row has it: text, which the same handful of runs repeats all the time."""
    return RunPolicy.model_validate_json(written)


def _json(value: object) -> object:
    return json.loads(value) if isinstance(value, str) else value
