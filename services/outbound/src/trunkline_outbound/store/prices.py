"""What calls cost: asked for after their end, a few times, since providers rate them later."""

from __future__ import annotations

from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_outbound.store.doubts import LiveCall

LOOKS: Final = 3
HOUR: Final = 3600.0

_NEXT: Final = f"""
price_polls = price_polls + 1,
       price_at = CASE WHEN price_polls + 1 < {LOOKS} THEN clock_timestamp()
                            + make_interval(secs => {HOUR} * power(6, price_polls)) END
"""
_CALLS: Final = text(
    f"""
WITH due AS (
    SELECT call_id FROM calls WHERE price_at <= clock_timestamp()
     ORDER BY price_at LIMIT :batch FOR NO KEY UPDATE SKIP LOCKED)
UPDATE calls SET {_NEXT}
  FROM due, attempts
 WHERE calls.call_id = due.call_id AND attempts.run_id = calls.run_id
   AND attempts.attempt_id = calls.attempt_id
RETURNING calls.attempt_id, calls.business_id, attempts.channel_id, calls.account,
          calls.provider_id
"""  # noqa: S608
)
_LEGS: Final = text(
    f"""
WITH due AS (
    SELECT call_id FROM legs WHERE price_at <= clock_timestamp()
     ORDER BY price_at LIMIT :batch FOR NO KEY UPDATE SKIP LOCKED)
UPDATE legs SET {_NEXT}
  FROM due WHERE legs.call_id = due.call_id
RETURNING legs.call_id, business_id, channel_id, account, provider_id
"""  # noqa: S608
)
_KEEP: Final = text(
    """
UPDATE calls SET price = :price, price_unit = :unit, price_at = NULL
 WHERE attempt_id = :attempt_id AND provider_id = :provider_id AND price IS DISTINCT FROM :price
RETURNING call_id
"""
)
_KEEP_OF_LEG: Final = text(
    """
UPDATE legs SET price = :price, price_unit = :unit, price_at = NULL, version = version + 1
 WHERE call_id = :call_id AND price IS DISTINCT FROM :price
RETURNING call_id
"""
)


async def pick_calls(session: AsyncSession, *, batch: int) -> list[LiveCall]:
    """Ended calls of runs whose price is to be asked for now."""
    return [LiveCall(*row) for row in await session.execute(_CALLS, {"batch": batch})]


async def pick_legs(session: AsyncSession, *, batch: int) -> list[LiveCall]:
    """Ended legs; `attempt_id` holds the call's id."""
    return [LiveCall(*row) for row in await session.execute(_LEGS, {"batch": batch})]


async def keep(
    session: AsyncSession, attempt_id: str, provider_id: str, *, price: str, unit: str | None
) -> bool:
    """Keep what an attempt's call cost, not what a twin of it did; whether that is new."""
    values = {"attempt_id": attempt_id, "provider_id": provider_id, "price": price, "unit": unit}
    return (await session.execute(_KEEP, values)).first() is not None


async def keep_of_leg(session: AsyncSession, call_id: str, *, price: str, unit: str | None) -> bool:
    """Keep what a leg cost; whether that is new."""
    values = {"call_id": call_id, "price": price, "unit": unit}
    return (await session.execute(_KEEP_OF_LEG, values)).first() is not None
