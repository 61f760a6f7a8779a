"""Calls without a run in the read model, told whole each time; and what calls of runs cost."""

from __future__ import annotations

from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_common.contracts.inbound import (
    CallLegAnswered,
    CallLegEnded,
    CallLegRinging,
    CallLegUnknown,
)

Leg = CallLegRinging | CallLegAnswered | CallLegEnded | CallLegUnknown

# Full state: whoever has a newer version keeps it. A foreign row changes nothing and answers none.
_KEEP: Final = text(
    """
INSERT INTO calls AS call (id, business_id, direction, parent_id, channel_id, provider_call_id,
       from_number, to_number, state, rank, dialled_at, answered_at, ended_at, outcome,
       answered_by, duration, reason, hangup_cause, price, price_unit, version, correlation_id)
VALUES (:id, :business_id, :direction, :parent_id, :channel_id, :provider_call_id, :from_number,
        :to_number, :state, 0, :began_at, :answered_at, :ended_at, :outcome, :answered_by,
        :duration, :reason, :code, :price, :price_unit, :version, :correlation_id)
ON CONFLICT (id) DO UPDATE
   SET (parent_id, from_number, to_number, state, dialled_at, answered_at, ended_at, outcome,
        answered_by, duration, reason, hangup_cause, price, price_unit, version) = (
        SELECT parent_id, from_number, to_number, state, dialled_at, answered_at, ended_at, outcome,
               answered_by, duration, reason, hangup_cause, price, price_unit, version
          FROM (VALUES (call.version, call.parent_id, call.from_number, call.to_number,
                        call.state, call.dialled_at, call.answered_at, call.ended_at,
                        call.outcome, call.answered_by, call.duration, call.reason,
                        call.hangup_cause, call.price, call.price_unit),
                       (excluded.version, excluded.parent_id, excluded.from_number,
                        excluded.to_number, excluded.state, excluded.dialled_at,
                        excluded.answered_at, excluded.ended_at, excluded.outcome,
                        excluded.answered_by, excluded.duration, excluded.reason,
                        excluded.hangup_cause, excluded.price, excluded.price_unit))
               AS told (version, parent_id, from_number, to_number, state, dialled_at,
                        answered_at, ended_at, outcome, answered_by, duration, reason,
                        hangup_cause, price, price_unit)
         ORDER BY version DESC LIMIT 1)
 WHERE call.business_id = excluded.business_id
RETURNING id
"""
)
# It may be heard of before anything else is: the fold of a run's call fills the rest in.
_PRICE: Final = text(
    """
INSERT INTO calls AS call (id, business_id, state, rank, price, price_unit, correlation_id)
VALUES (:id, :business_id, 'dialled', 0, :price, :price_unit, :correlation_id)
ON CONFLICT (id) DO UPDATE SET price = excluded.price, price_unit = excluded.price_unit
 WHERE call.business_id = excluded.business_id
RETURNING id
"""
)


def _state_of(leg: Leg) -> str:
    if isinstance(leg, CallLegUnknown):
        return "unknown"
    return "ended" if leg.ended_at else "answered" if leg.answered_at else "ringing"


async def keep(session: AsyncSession, business_id: str, leg: Leg, *, correlation_id: str) -> bool:
    """Keep the newest state of a call; False where it belongs to another business."""
    values = leg.model_dump(exclude={"call_id", "parent_call_id", "account"}) | {
        "id": leg.call_id,
        "business_id": business_id,
        "parent_id": leg.parent_call_id,
        "state": _state_of(leg),
        "reason": leg.reason if isinstance(leg, CallLegUnknown) else None,
        "correlation_id": correlation_id,
    }
    return (await session.execute(_KEEP, values)).first() is not None


async def price(
    session: AsyncSession,
    business_id: str,
    call_id: str,
    *,
    price: str,
    unit: str | None,
    correlation_id: str,
) -> bool:
    """Keep what a call cost; False where it belongs to another business."""
    values = {
        "id": call_id,
        "business_id": business_id,
        "price": price,
        "price_unit": unit,
        "correlation_id": correlation_id,
    }
    return (await session.execute(_PRICE, values)).first() is not None
