"""Hearing what happened inside calls: keys that were pressed, and legs to agents."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_common.contracts import Envelope
from trunkline_common.contracts.content import CallDigitsReported, CallLegReported
from trunkline_outbound.heard import said_of_leg
from trunkline_outbound.store import legs, notes
from trunkline_outbound.store.notes import Note


async def on_digits(session: AsyncSession, envelope: Envelope[CallDigitsReported]) -> None:
    """Keep what was pressed: the contact's history shows it, and the outcome stays the call's."""
    event = envelope.event
    note = Note(
        attempt_id=event.attempt_id,
        provider_id=event.provider_call_id,
        kind="response",
        place=f"{event.step}.{event.turn}",
        state=event.meaning,
        detail=event.digits or None,
    )
    whose = {"business_id": envelope.business_id, "account": event.account}
    await notes.keep(session, note, **whose, event_id=envelope.id)


async def on_leg(session: AsyncSession, envelope: Envelope[CallLegReported]) -> None:
    """Keep how an agent's leg went: a call of its own, which is no job's and ends none."""
    event = envelope.event
    note = Note(
        attempt_id=event.attempt_id,
        provider_id=event.provider_call_id,
        kind="leg",
        place=f"{event.leg_id}.{event.status}",
        state=event.status,
        detail=None if event.duration is None else str(event.duration),
    )
    whose = {"business_id": envelope.business_id, "account": event.account}
    await notes.keep(session, note, **whose, event_id=envelope.id)
    await legs.keep(session, said_of_leg(envelope))
