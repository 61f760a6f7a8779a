"""What api does when it hears of calls that no run asked for, and of what calls cost."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_api.store import legs
from trunkline_common.contracts import Envelope
from trunkline_common.contracts.inbound import CallPriced
from trunkline_common.outcomes import Refuse


def _accept(known: bool) -> None:  # the store's answer, passed on
    if not known:
        message = "this business has no such call"
        raise Refuse(message)


async def on_leg(session: AsyncSession, envelope: Envelope[legs.Leg]) -> None:
    """A call that no run asked for, whole."""
    known = await legs.keep(
        session,
        envelope.business_id,
        envelope.event,
        correlation_id=envelope.correlation_id,
    )
    _accept(known)


async def on_call_priced(session: AsyncSession, envelope: Envelope[CallPriced]) -> None:
    """What a run's call cost."""
    event = envelope.event
    known = await legs.price(
        session,
        envelope.business_id,
        event.call_id,
        price=event.price,
        unit=event.price_unit,
        correlation_id=envelope.correlation_id,
    )
    _accept(known)
