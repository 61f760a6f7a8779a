"""/v1/contacts/{contact_id}/consents."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter
from pydantic import Field

from trunkline_api import consents, errors
from trunkline_api.routes.answers import (
    AFTER_EVERY_ID,
    Asked,
    Cursor,
    Limit,
    Page,
    Told,
    page_of,
    position_in,
)
from trunkline_api.routes.callers import ContactsReader, ContactsWriter, ServiceParts
from trunkline_api.routes.guards import PublicRoute
from trunkline_api.routes.values import Moment
from trunkline_api.store.consents import NewConsent, State
from trunkline_common.contracts.api import ChannelKind
from trunkline_common.http import correlation_id

router = APIRouter(
    prefix="/contacts/{contact_id}/consents", tags=["contacts"], route_class=PublicRoute
)


class ConsentAsked(Asked):
    """What a contact agreed to or took back, and how that is known."""

    channel: ChannelKind
    state: State
    source: str = Field(min_length=1, max_length=200, examples=["web form"])
    evidence: str | None = Field(
        default=None, max_length=2000, examples=["https://example.com/forms/41"]
    )
    at: Moment | None = Field(
        default=None, description="when the contact said so; left out: now. Not in the future"
    )


class ConsentTold(Told):
    """One of them. Of a channel that one is `in_force` after which the contact said nothing."""

    id: str
    contact_id: str
    channel: ChannelKind
    state: State
    source: str
    evidence: str | None
    at: datetime
    recorded_by: str = Field(description="the key that recorded it")
    recorded_at: datetime
    in_force: bool


@router.post("", status_code=201)
async def record_consent(
    contact_id: str, asked: ConsentAsked, caller: ContactsWriter, parts: ServiceParts
) -> ConsentTold:
    """Record a consent or its withdrawal.

    A withdrawal suppresses the contact on that channel at once. A grant lifts no suppression.
    """
    new = NewConsent(**asked.model_dump())
    kept = await consents.record(
        parts.database, caller, contact_id, new, correlation_id=correlation_id()
    )
    return ConsentTold.model_validate(kept)


@router.get("")
async def list_consents(
    contact_id: str,
    caller: ContactsReader,
    parts: ServiceParts,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[ConsentTold]:
    """A contact's consents and withdrawals, what was recorded last first."""
    before = position_in(cursor, start=AFTER_EVERY_ID)
    rows = await consents.page(
        parts.database, caller.business_id, contact_id, before=before, limit=limit + 1
    )
    if rows is None:
        raise errors.not_found("contact")
    return page_of(rows, limit, ConsentTold.model_validate, lambda row: row.id)
