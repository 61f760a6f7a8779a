"""A run's gate: its state changed under the cursor's lock, its claims revoked, its jobs closed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

_STANDING = text(
    """
SELECT run_id, business_id, state, step, correlation_id, traceparent, receipt, hang_up,
       stop_seq, ends_as, reason, progress_version
  FROM runs WHERE run_id = :run_id
"""
)
_MOVE = text(
    """
UPDATE runs SET state = :state, step = step + 1, reason = :reason WHERE run_id = :run_id
RETURNING step
"""
)
_CANCEL = text(
    """
UPDATE runs SET state = 'cancelling', step = step + 1, reason = :reason, ends_as = :ends_as,
       hang_up = :hang_up, stop_seq = 0, receipt = CAST(:receipt AS jsonb)
 WHERE run_id = :run_id
RETURNING step
"""
)
_HANG_UP = text("UPDATE runs SET hang_up = true WHERE run_id = :run_id AND state = 'cancelling'")
_EDIT = text(
    """
UPDATE runs SET step = step + 1, policy = CAST(:policy AS jsonb),
       start_at = CASE WHEN state IN ('draft', 'ready') THEN :start_at ELSE start_at END
 WHERE run_id = :run_id
RETURNING step
"""
)
_TAKE_TURN = {
    lane: text(
        f"""
UPDATE runs SET last_{lane} = :number WHERE run_id = :run_id AND last_{lane} <= :number
RETURNING run_id
"""  # noqa: S608 - of two names
    )
    for lane in ("moves", "edits")
}
_REOPEN = text(
    """
UPDATE claims SET owner = NULL, token = token + 1, expires_at = clock_timestamp()
 WHERE claim_id IN (SELECT claim_id FROM claims WHERE run_id = :run_id AND closed_at IS NULL
                     ORDER BY claim_id FOR NO KEY UPDATE)
"""
)
_COUNTS = text(
    """
SELECT count(*) FILTER (WHERE state IN ('queued', 'waiting')) AS stopped,
       count(*) FILTER (WHERE state IN ('sending', 'in_doubt', 'accepted')) AS in_flight,
       count(*) FILTER (WHERE state NOT IN ('queued', 'waiting', 'sending', 'in_doubt',
                                            'accepted')) AS ended
  FROM jobs WHERE run_id = :run_id
"""
)
_IN_FLIGHT = text(
    """
SELECT count(*) FROM jobs
 WHERE run_id = :run_id AND state IN ('sending', 'in_doubt', 'accepted')
"""
)
_CANCELLING = text("SELECT run_id FROM runs WHERE state = 'cancelling' ORDER BY run_id")
_CLOSE_JOBS = text(
    """
WITH stopped AS (
    SELECT seq FROM jobs
     WHERE run_id = :run_id AND seq > :after AND state IN ('queued', 'waiting')
     ORDER BY seq LIMIT :batch FOR NO KEY UPDATE)
UPDATE jobs SET state = 'cancelled', claim_id = NULL, due_at = NULL, reason = 'run_cancelled',
       changed_at = clock_timestamp()
  FROM stopped WHERE jobs.run_id = :run_id AND jobs.seq = stopped.seq
RETURNING jobs.seq
"""
)
_CLOSE_WAITING = text(
    """
WITH stopped AS (
    SELECT seq FROM jobs WHERE run_id = :run_id AND state = 'waiting'
     ORDER BY seq LIMIT :batch FOR NO KEY UPDATE)
UPDATE jobs SET state = 'cancelled', claim_id = NULL, due_at = NULL, reason = 'run_cancelled',
       changed_at = clock_timestamp()
  FROM stopped WHERE jobs.run_id = :run_id AND jobs.seq = stopped.seq
RETURNING jobs.seq
"""
)
_STOPPED_UP_TO = text("UPDATE runs SET stop_seq = :seq WHERE run_id = :run_id")
_ALL_STOPPED = text("UPDATE runs SET stop_seq = NULL WHERE run_id = :run_id")
_END = text(
    """
UPDATE runs SET state = ends_as, step = step + 1, progress_version = progress_version + 1,
       ended_at = clock_timestamp()
 WHERE run_id = :run_id AND state = 'cancelling'
RETURNING progress_version
"""
)
_CLOSE_CLAIMS = text(
    """
UPDATE claims SET closed_at = clock_timestamp(), owner = NULL, token = token + 1
 WHERE claim_id IN (SELECT claim_id FROM claims WHERE run_id = :run_id AND closed_at IS NULL
                     ORDER BY claim_id FOR NO KEY UPDATE)
   AND NOT EXISTS (SELECT FROM jobs WHERE jobs.run_id = :run_id
                      AND jobs.claim_id = claims.claim_id
                      AND jobs.state IN ('queued', 'sending'))
"""
)


@dataclass(frozen=True, slots=True)
class Standing:
    """A run as its controls need it; `receipt` is what its cancel answered."""

    run_id: str
    business_id: str
    state: str
    step: int
    correlation_id: str
    traceparent: str | None
    receipt: dict[str, int] | None
    hang_up: bool
    stop_seq: int | None
    ends_as: str
    reason: str | None
    progress_version: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a cancel found: never to be sent, admitted before, and over before. Jobs."""

    stopped: int
    in_flight: int
    ended: int


async def standing(session: AsyncSession, run_id: str) -> Standing | None:
    """The run as it stands; its cursor is locked by the caller."""
    row = (await session.execute(_STANDING, {"run_id": run_id})).mappings().first()
    if row is None:
        return None
    fields: dict[str, Any] = dict(row)
    if isinstance(fields["receipt"], str):
        fields["receipt"] = json.loads(fields["receipt"])
    return Standing(**fields)


async def move(session: AsyncSession, run_id: str, state: str, *, reason: str | None = None) -> int:
    """Change a run's state; its step, which only grows."""
    parameters = {"run_id": run_id, "state": state, "reason": reason}
    return int((await session.execute(_MOVE, parameters)).scalar_one())


async def begin_cancel(
    session: AsyncSession,
    run_id: str,
    receipt: Receipt,
    *,
    hang_up: bool,
    reason: str | None,
    ends_as: str,
) -> int:
    """Write the cancel down with its receipt; the step."""
    kept = {name: getattr(receipt, name) for name in Receipt.__slots__}
    parameters = {
        "run_id": run_id,
        "hang_up": hang_up,
        "reason": reason,
        "ends_as": ends_as,
        "receipt": json.dumps(kept),
    }
    return int((await session.execute(_CANCEL, parameters)).scalar_one())


async def take_turn(session: AsyncSession, run_id: str, lane: str, number: int) -> bool:
    """Note the latest control of a lane; False where a later one came before this."""
    parameters = {"run_id": run_id, "number": number}
    return (await session.execute(_TAKE_TURN[lane], parameters)).first() is not None


async def ask_hang_up(session: AsyncSession, run_id: str) -> None:
    """A cancel that comes again may ask for more."""
    await session.execute(_HANG_UP, {"run_id": run_id})


async def edit(
    session: AsyncSession, run_id: str, *, policy: str, start_at: datetime | None
) -> int:
    """Replace a run's policy, and its start as long as that lies ahead; the step."""
    parameters = {"run_id": run_id, "policy": policy, "start_at": start_at}
    return int((await session.execute(_EDIT, parameters)).scalar_one())


async def reopen_claims(session: AsyncSession, run_id: str) -> None:
    """Let anybody take the open claims over at once."""
    await session.execute(_REOPEN, {"run_id": run_id})


async def count(session: AsyncSession, run_id: str) -> Receipt:
    """How many jobs would be stopped, are in flight, and are over."""
    return Receipt(*(await session.execute(_COUNTS, {"run_id": run_id})).one())


async def count_in_flight(session: AsyncSession, run_id: str) -> int:
    """Jobs whose request has been admitted and whose end is not known."""
    return int((await session.execute(_IN_FLIGHT, {"run_id": run_id})).scalar_one())


async def cancelling_runs(session: AsyncSession) -> Sequence[str]:
    """Runs whose cancel is not complete."""
    return list((await session.execute(_CANCELLING)).scalars())


async def close_jobs(session: AsyncSession, run_id: str, *, after: int, batch: int) -> list[int]:
    """Close jobs behind `after` that will not be sent any more; their numbers."""
    parameters = {"run_id": run_id, "after": after, "batch": batch}
    return list((await session.execute(_CLOSE_JOBS, parameters)).scalars())


async def close_waiting(session: AsyncSession, run_id: str, *, batch: int) -> int:
    """Close what a late refusal brought back; how many."""
    parameters = {"run_id": run_id, "batch": batch}
    return len((await session.execute(_CLOSE_WAITING, parameters)).all())


async def stopped_up_to(session: AsyncSession, run_id: str, seq: int) -> None:
    """Note how far the queued jobs have been closed."""
    await session.execute(_STOPPED_UP_TO, {"run_id": run_id, "seq": seq})


async def all_stopped(session: AsyncSession, run_id: str) -> None:
    """Note that no queued job is left; only a late refusal can bring one back, as `waiting`."""
    await session.execute(_ALL_STOPPED, {"run_id": run_id})


async def end(session: AsyncSession, run_id: str) -> int:
    """End a run as its cancel said; the version of its last counts. Its cursor is locked."""
    return int((await session.execute(_END, {"run_id": run_id})).scalar_one())


async def close_claims(session: AsyncSession, run_id: str) -> None:
    """Close the open claims that hold nothing any more; the cursor is locked by the caller."""
    await session.execute(_CLOSE_CLAIMS, {"run_id": run_id})
