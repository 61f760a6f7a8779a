"""Messages: one asked for by itself, and all of them as the read model has them."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_api import errors
from trunkline_api.domain.phones import Unusable, normalise
from trunkline_api.store import channels, contacts, runs
from trunkline_api.store import messages as store
from trunkline_api.store.messages import Message, MessageFact
from trunkline_common.contracts.api import MessageRequested
from trunkline_common.db import Database, outbox, transaction
from trunkline_common.db.outbox import Fact
from trunkline_common.ids import MESSAGE, new_id


@dataclass(frozen=True, slots=True)
class Wanted:
    """A message as it is asked for: to a number, or to a contact."""

    channel_id: str
    text: str
    to: str | None
    contact_id: str | None


async def request(
    database: Database, business_id: str, home_country: str, wanted: Wanted, *, correlation_id: str
) -> Message:
    """Ask messaging for one message; it is sent when it is its turn."""
    message_id = new_id(MESSAGE)
    async with transaction(database) as session:
        await _check_channel(session, business_id, wanted.channel_id)
        number = await _number(session, business_id, home_country, wanted)
        first = MessageFact(
            id=message_id,
            business_id=business_id,
            channel_id=wanted.channel_id,
            correlation_id=correlation_id,
            state="requested",
            contact_id=wanted.contact_id,
            to_number=number,
            body=wanted.text,
        )
        await store.fold(session, first)
        event = MessageRequested(
            message_id=message_id,
            channel_id=wanted.channel_id,
            to=number,
            text=wanted.text,
            contact_id=wanted.contact_id,
        )
        await outbox.add(session, Fact(event, business_id, correlation_id))
        kept = await store.get(session, business_id, message_id)
    if kept is None:
        raise errors.not_found("message")
    return kept


async def _check_channel(session: AsyncSession, business_id: str, channel_id: str) -> None:
    channel = await channels.get(session, business_id, channel_id)
    if channel is None:
        raise errors.invalid("#/channel_id", "there is no such channel")
    if channel.kind != "whatsapp":
        raise errors.invalid("#/channel_id", "this channel is for calls")
    if not channel.enabled:
        raise errors.conflict("channel-disabled", "the channel is disabled")


async def _number(
    session: AsyncSession, business_id: str, home_country: str, wanted: Wanted
) -> str:
    if wanted.contact_id is not None:
        contact = await contacts.get(session, business_id, wanted.contact_id)
        if contact is None:
            raise errors.invalid("#/contact_id", "there is no such contact")
        return contact.address
    phone = normalise(wanted.to or "", home_country)
    if isinstance(phone, Unusable):
        raise errors.invalid("#/to", f"not a number that can be written to: {phone.reason}")
    return phone.address


async def get(database: Database, business_id: str, message_id: str) -> Message | None:
    """One message."""
    async with transaction(database) as session:
        return await store.get(session, business_id, message_id)


async def page(
    database: Database, business_id: str, *, run_id: str | None, before: str, limit: int
) -> list[Message] | None:
    """Messages, newest first; None where the business has no such run."""
    async with transaction(database) as session:
        if run_id is not None and await runs.get(session, business_id, run_id) is None:
            return None
        return await store.page(session, business_id, run_id=run_id, before=before, limit=limit)
