"""The read model of calls: what outbound said of each, folded so that order does not matter."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_api.domain.states import CallState, call_rank
from trunkline_api.store.rows import every, first


@dataclass(frozen=True, slots=True)
class Call:
    """One call as far as it is known."""

    id: str
    direction: str
    parent_id: str | None
    run_id: str | None
    seq: int | None
    attempt_id: str | None
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
    hangup_cause: str | None
    price: str | None
    price_unit: str | None
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
    hangup_cause: str | None = None


_COLUMNS: Final = (
    "id, direction, parent_id, run_id, seq, attempt_id, contact_id, channel_id, provider_call_id,"
    " from_number, to_number, state, dialled_at, answered_at, ended_at, outcome, answered_by,"
    " duration, reason, hangup_cause, price, price_unit, correlation_id, created_at"
)
# INVARIANT: the row is a function of the set of facts. How the call stands is said by the fact of
# the highest rank, whole; the rest is the least of what was said, and `least` passes nulls over.
_FOLD: Final = text(
    """
INSERT INTO calls AS call (id, business_id, run_id, seq, attempt_id, contact_id, channel_id,
       provider_call_id, from_number, to_number, state, rank, dialled_at, answered_at, ended_at,
       outcome, answered_by, duration, reason, hangup_cause, correlation_id)
VALUES (:id, :business_id, :run_id, :seq, :attempt_id, :contact_id, :channel_id,
       :provider_call_id, :from_number, :to_number, :state, :rank, :dialled_at, :answered_at,
       :ended_at, :outcome, :answered_by, :duration, :reason, :hangup_cause, :correlation_id)
ON CONFLICT (id) DO UPDATE
   SET (rank, state, outcome, ended_at, duration, answered_by, reason, hangup_cause) = (
           SELECT rank, state, outcome, ended_at, duration, answered_by, reason, hangup_cause
             FROM (VALUES (call.rank, call.state, call.outcome, call.ended_at, call.duration,
                           call.answered_by, call.reason, call.hangup_cause),
                          (excluded.rank, excluded.state, excluded.outcome, excluded.ended_at,
                           excluded.duration, excluded.answered_by, excluded.reason,
                           excluded.hangup_cause))
                  AS said (rank, state, outcome, ended_at, duration, answered_by, reason,
                           hangup_cause)
            ORDER BY rank DESC, ended_at DESC NULLS LAST, duration DESC NULLS LAST,
                     answered_by DESC NULLS LAST, reason DESC NULLS LAST,
                     hangup_cause DESC NULLS LAST LIMIT 1),
       run_id = coalesce(call.run_id, excluded.run_id),
       seq = coalesce(call.seq, excluded.seq),
       attempt_id = coalesce(call.attempt_id, excluded.attempt_id),
       contact_id = least(call.contact_id, excluded.contact_id),
       channel_id = least(call.channel_id, excluded.channel_id),
       provider_call_id = least(call.provider_call_id, excluded.provider_call_id),
       from_number = least(call.from_number, excluded.from_number),
       to_number = least(call.to_number, excluded.to_number),
       dialled_at = least(call.dialled_at, excluded.dialled_at),
       answered_at = least(call.answered_at, excluded.answered_at)
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
   AND (CAST(:direction AS text) IS NULL OR direction = :direction)
 ORDER BY id DESC LIMIT :limit
"""  # noqa: S608
)
_PAGE_INBOUND: Final = text(  # few among many: by an index of their own
    f"""
SELECT {_COLUMNS} FROM calls
 WHERE business_id = :business_id AND direction = 'inbound' AND id < :before
 ORDER BY id DESC LIMIT :limit
"""  # noqa: S608
)
_PAGE_OF_RUN: Final = text(
    f"""
SELECT {_COLUMNS} FROM calls
 WHERE business_id = :business_id AND run_id = :run_id AND id < :before
   AND (CAST(:direction AS text) IS NULL OR direction = :direction)
 ORDER BY id DESC LIMIT :limit
"""  # noqa: S608
)


async def fold(session: AsyncSession, fact: CallFact) -> bool:
    """Add a fact to its call; False where the call belongs to another business."""
    values = {**asdict(fact), "rank": call_rank(fact.state, fact.outcome)}
    return (await session.execute(_FOLD, values)).first() is not None


async def get(session: AsyncSession, business_id: str, call_id: str) -> Call | None:
    """One call of a business."""
    values = {"business_id": business_id, "call_id": call_id}
    return first(await session.execute(_GET, values), Call)


async def page(
    session: AsyncSession,
    business_id: str,
    *,
    run_id: str | None,
    direction: str | None,
    before: str,
    limit: int,
) -> list[Call]:
    """Calls of a business, or of one of its runs, newest first."""
    values = {
        "business_id": business_id,
        "before": before,
        "limit": limit,
        "direction": direction,
    }
    if run_id is None and direction == "inbound":
        return every(await session.execute(_PAGE_INBOUND, values), Call)
    if run_id is None:
        return every(await session.execute(_PAGE, values), Call)
    return every(await session.execute(_PAGE_OF_RUN, {**values, "run_id": run_id}), Call)
