"""What a call cost, from whatever look at it tells a price; told once."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_common.contracts.inbound import CallPriced
from trunkline_common.db import outbox
from trunkline_outbound.facts import fact_of
from trunkline_outbound.gateways.voice import ProviderCall
from trunkline_outbound.store import prices
from trunkline_outbound.store.attempts import Attempt


async def keep_price(session: AsyncSession, attempt: Attempt, seen: ProviderCall) -> None:
    """Keep and tell the price of a run's call, if the provider knows one by now."""
    if seen.price is None:
        return
    new = await prices.keep(
        session, attempt.attempt_id, seen.provider_id, price=seen.price, unit=seen.price_unit
    )
    if new:
        event = CallPriced(call_id=attempt.call_id, price=seen.price, price_unit=seen.price_unit)
        await outbox.add(session, fact_of(attempt, event))
