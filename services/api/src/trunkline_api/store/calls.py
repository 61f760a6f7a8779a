"""The read model of calls: what outbound said of each, folded so that order does not matter."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_api.domain.states import CALL_RANK, CallState
from trunkline_api.store.rows import every, first


@dataclass(frozen=True, slots=True)
class Call:
    """One call as far as it is known."""

    id: str
    run_id: str
    seq: int
    attempt_id: str
    contact_id: str | None
    channel_id: str | None
    provider_call_id: str | None
    from_number: str | None
    to_number: str | None
    state: str
    dialled_at: datetime | None
    answered_at: datetime | None
    ended_at: datetime | None
    outcome: str | None
    answered_by: str | None
    duration: int | None
    reason: str | None
    correlation_id: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFact:
    """What one fact adds to a call."""

    id: str
    business_id: str
    run_id: str
    seq: int
    attempt_id: str
    correlation_id: str
    state: CallState
    contact_id: str | None = None
    channel_id: str | None = None
    provider_call_id: str | None = None
    from_number: str | None = None
    to_number: str | None = None
    dialled_at: datetime | None = None
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    outcome: str | None = None
    answered_by: str | None = None
    duration: int | None = None
    reason: str | None = None


_COLUMNS: Final = (
    "id, run_id, seq, attempt_id, contact_id, channel_id, provider_call_id, from_number, to_number,"
    " state, dialled_at, answered_at, ended_at, outcome, answered_by, duration, reason,"
    " correlation_id, created_at"
)
_FOLD: Final = text(
    """
INSERT INTO calls AS call (id, business_id, run_id, seq, attempt_id, contact_id, channel_id,
       provider_call_id, from_number, to_number, state, rank, dialled_at, answered_at, ended_at,
       outcome, answered_by, duration, reason, correlation_id)
VALUES (:id, :business_id, :run_id, :seq, :attempt_id, :contact_id, :channel_id,
       :provider_call_id, :from_number, :to_number, :state, :rank, :dialled_at, :answered_at,
       :ended_at, :outcome, :answered_by, :duration, :reason, :correlation_id)
ON CONFLICT (id) DO UPDATE
   SET state = CASE WHEN excluded.rank > call.rank THEN excluded.state ELSE call.state END,
       rank = greatest(call.rank, excluded.rank),
       contact_id = coalesce(call.contact_id, excluded.contact_id),
       channel_id = coalesce(call.channel_id, excluded.channel_id),
       provider_call_id = coalesce(call.provider_call_id, excluded.provider_call_id),
       from_number = coalesce(call.from_number, excluded.from_number),
       to_number = coalesce(call.to_number, excluded.to_number),
       dialled_at = coalesce(call.dialled_at, excluded.dialled_at),
       answered_at = coalesce(call.answered_at, excluded.answered_at),
       ended_at = coalesce(call.ended_at, excluded.ended_at),
       outcome = coalesce(call.outcome, excluded.outcome),
       answered_by = coalesce(call.answered_by, excluded.answered_by),
       duration = coalesce(call.duration, excluded.duration),
       reason = coalesce(call.reason, excluded.reason)
 WHERE call.business_id = excluded.business_id
RETURNING id
"""
)
_GET: Final = text(
    f"SELECT {_COLUMNS} FROM calls WHERE business_id = :business_id AND id = :call_id"  # noqa: S608
)
_PAGE: Final = text(
    f"""
SELECT {_COLUMNS} FROM calls WHERE business_id = :business_id AND id < :before
 ORDER BY id DESC LIMIT :limit
"""  # noqa: S608
)
_PAGE_OF_RUN: Final = text(
    f"""
SELECT {_COLUMNS} FROM calls
 WHERE business_id = :business_id AND run_id = :run_id AND id < :before
 ORDER BY id DESC LIMIT :limit
"""  # noqa: S608
)


async def fold(session: AsyncSession, fact: CallFact) -> bool:
    """Add a fact to its call; False where the call belongs to another business."""
    values = {**asdict(fact), "rank": CALL_RANK[fact.state]}
    return (await session.execute(_FOLD, values)).first() is not None


async def get(session: AsyncSession, business_id: str, call_id: str) -> Call | None:
    """One call of a business."""
    values = {"business_id": business_id, "call_id": call_id}
    return first(await session.execute(_GET, values), Call)


async def page(
    session: AsyncSession, business_id: str, *, run_id: str | None, before: str, limit: int
) -> list[Call]:
    """Calls of a business, or of one of its runs, newest first."""
    values = {"business_id": business_id, "before": before, "limit": limit}
    if run_id is None:
        return every(await session.execute(_PAGE, values), Call)
    return every(await session.execute(_PAGE_OF_RUN, {**values, "run_id": run_id}), Call)
