"""/v1/messages."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter
from pydantic import Field, model_validator

from trunkline_api import errors, messages
from trunkline_api.routes.answers import (
    AFTER_EVERY_ID,
    Asked,
    Cursor,
    Id,
    Limit,
    Page,
    Told,
    page_of,
    position_in,
)
from trunkline_api.routes.callers import MessagesReader, MessagesWriter, ServiceParts
from trunkline_api.routes.guards import PublicRoute
from trunkline_common.http import correlation_id

router = APIRouter(prefix="/messages", tags=["messages"], route_class=PublicRoute)


class MessageAsked(Asked):
    """One message: to a number, or to a contact."""

    channel_id: Id
    text: str = Field(min_length=1, max_length=4096)
    to: str | None = Field(default=None, max_length=200)
    contact_id: Id | None = None

    @model_validator(mode="after")
    def _has_one_recipient(self) -> MessageAsked:
        if (self.to is None) == (self.contact_id is None):
            message = "give either to or contact_id"
            raise ValueError(message)
        return self


class MessageTold(Told):
    """One message. What is not known yet is null."""

    id: str
    channel_id: str
    run_id: str | None
    seq: int | None
    contact_id: str | None
    attempt_id: str | None
    to: str | None = Field(validation_alias="to_number")
    text: str | None = Field(validation_alias="body")
    provider_message_id: str | None
    state: str = Field(description="requested, accepted, sent, delivered, read, failed or unknown")
    code: str | None
    reason: str | None
    accepted_at: datetime | None
    sent_at: datetime | None
    delivered_at: datetime | None
    read_at: datetime | None
    failed_at: datetime | None
    correlation_id: str
    created_at: datetime


@router.post("", status_code=202)
async def request_message(
    asked: MessageAsked, caller: MessagesWriter, parts: ServiceParts
) -> MessageTold:
    """Ask for one message; it is sent when it is its turn."""
    kept = await messages.request(
        parts.database,
        caller.business_id,
        caller.country,
        messages.Wanted(asked.channel_id, asked.text, asked.to, asked.contact_id),
        correlation_id=correlation_id(),
    )
    return MessageTold.model_validate(kept)


@router.get("")
async def list_messages(
    caller: MessagesReader, parts: ServiceParts, limit: Limit = 50, cursor: Cursor = None
) -> Page[MessageTold]:
    """Messages, newest first."""
    before = position_in(cursor, start=AFTER_EVERY_ID)
    rows = await messages.page(
        parts.database, caller.business_id, run_id=None, before=before, limit=limit + 1
    )
    return page_of(rows or [], limit, MessageTold.model_validate, lambda row: row.id)


@router.get("/{message_id}")
async def get_message(message_id: str, caller: MessagesReader, parts: ServiceParts) -> MessageTold:
    """One message."""
    message = await messages.get(parts.database, caller.business_id, message_id)
    if message is None:
        raise errors.not_found("message")
    return MessageTold.model_validate(message)
