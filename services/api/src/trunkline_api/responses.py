"""Keys that people press: kept, told and acted upon in one commit, before they are answered."""

from __future__ import annotations

from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_api import suppressions
from trunkline_api.domain.provider_facts import Heard
from trunkline_api.domain.responses import Response
from trunkline_api.domain.suppressions import Entry
from trunkline_api.speeches import Called
from trunkline_api.store import provider_events, runs
from trunkline_api.store import responses as store
from trunkline_api.store.provider_events import KeptEvent
from trunkline_api.store.responses import KeptResponse, NewResponse
from trunkline_common.db import Database, outbox, transaction
from trunkline_common.db.outbox import Fact
from trunkline_common.telemetry import traceparent

SOURCE: Final = "voice_keypress"


async def take(
    database: Database, called: Called, response: Response, heard: Heard, *, correlation_id: str
) -> None:
    """Return once it is durable. An opt-out is in the same commit: who hears "done" is suppressed.

    The same answer told again changes nothing.
    """
    account = called.account
    kept = KeptEvent(account.channel_id, account.business_id, "twilio", correlation_id, heard)
    async with transaction(database) as session:
        if not await provider_events.keep(session, [kept]) or heard.event is None:
            return
        await store.add(session, _new(called, response, correlation_id))
        if response.meaning == "opt_out":
            await _suppress(session, called, response, correlation_id)
        trace = traceparent()
        fact = Fact(heard.event, account.business_id, correlation_id, traceparent=trace)
        await outbox.add(session, fact)


def _new(called: Called, response: Response, correlation_id: str) -> NewResponse:
    return NewResponse(
        business_id=called.account.business_id,
        run_id=called.run_id,
        attempt_id=called.attempt_id,
        contact_id=called.contact_id,
        provider_call_id=response.pressed.provider_call_id,
        step=response.step,
        turn=response.turn,
        digits=response.pressed.digits,
        meaning=response.meaning,
        correlation_id=correlation_id,
    )


async def _suppress(
    session: AsyncSession, called: Called, response: Response, correlation_id: str
) -> None:
    pressed = response.pressed
    entry = Entry(
        kind="address",
        value=pressed.called,
        source=SOURCE,
        reason="opted out by pressing a key",
        evidence=f"call {pressed.provider_call_id}, run {called.run_id}: pressed {pressed.digits}",
    )
    await suppressions.add(
        session,
        called.account.business_id,
        [entry],
        by=called.attempt_id,
        correlation_id=correlation_id,
    )


async def of_run(
    database: Database, business_id: str, run_id: str, *, before: int, limit: int
) -> tuple[dict[str, int], list[KeptResponse]] | None:
    """Counts and a page, newest first; None where the business has no such run."""
    async with transaction(database) as session:
        if await runs.get(session, business_id, run_id) is None:
            return None
        return (
            await store.counts(session, business_id, run_id),
            await store.of_run(session, business_id, run_id, before=before, limit=limit),
        )
