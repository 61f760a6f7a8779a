"""Keys that callers press: kept and acted upon in one commit, before they are answered."""

from __future__ import annotations

from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_api import suppressions
from trunkline_api.accounts import Account
from trunkline_api.domain.provider_facts import Form
from trunkline_api.domain.responses import Response
from trunkline_api.domain.suppressions import Entry, Misread, read_value
from trunkline_api.responses import SOURCE
from trunkline_api.store import caller_responses as store
from trunkline_api.store.caller_responses import KeptCallerResponse, NewCallerResponse
from trunkline_common.db import Database, transaction

ANY_COUNTRY: Final = "US"  # providers write numbers whole


async def take(
    database: Database, account: Account, response: Response, form: Form, *, correlation_id: str
) -> None:
    """Return once it is durable. An opt-out is in the same commit: who hears "done" is suppressed.

    The same answer told again changes nothing.
    """
    async with transaction(database) as session:
        new = await store.add(session, _new(account, response, correlation_id))
        if new and response.meaning == "opt_out":
            await _suppress(session, account, response, form.get("From", ""), correlation_id)


def _new(account: Account, response: Response, correlation_id: str) -> NewCallerResponse:
    return NewCallerResponse(
        business_id=account.business_id,
        channel_id=account.channel_id,
        provider_call_id=response.pressed.provider_call_id,
        step=response.step,
        turn=response.turn,
        digits=response.pressed.digits,
        meaning=response.meaning,
        correlation_id=correlation_id,
    )


async def _suppress(
    session: AsyncSession, account: Account, response: Response, number: str, correlation_id: str
) -> None:
    """Suppress whoever calls, if the number is one; who withholds it is called by nobody."""
    if isinstance(read_value("address", number, ANY_COUNTRY), Misread):
        return
    pressed = response.pressed
    entry = Entry(
        kind="address",
        value=number,
        source=SOURCE,
        reason="opted out by pressing a key",
        evidence=f"inbound call {pressed.provider_call_id}: pressed {pressed.digits}",
    )
    await suppressions.add(
        session,
        account.business_id,
        [entry],
        by=pressed.provider_call_id,
        correlation_id=correlation_id,
    )


async def of_channel(
    database: Database, business_id: str, channel_id: str, *, before: int, limit: int
) -> list[KeptCallerResponse]:
    """A page of what callers pressed, newest first."""
    async with transaction(database) as session:
        return await store.of_channel(session, business_id, channel_id, before=before, limit=limit)
