"""/v1/contacts."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter
from pydantic import Field

from trunkline_api import contacts, errors
from trunkline_api.domain.candidates import Candidate
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
from trunkline_api.routes.businesses import Country
from trunkline_api.routes.callers import ContactsReader, ContactsWriter, ServiceParts
from trunkline_api.routes.guards import PublicRoute
from trunkline_api.routes.values import TimeZone

router = APIRouter(prefix="/contacts", tags=["contacts"], route_class=PublicRoute)


class ContactAsked(Asked):
    """A contact to add. A national number is read by its country, else by the business's."""

    phone: str = Field(min_length=1, max_length=200, examples=["+49 171 1234567"])
    name: str | None = Field(default=None, max_length=500)
    first_name: str | None = Field(default=None, max_length=500)
    last_name: str | None = Field(default=None, max_length=500)
    email: str | None = Field(default=None, max_length=500)
    country: Country | None = None
    language: str | None = Field(default=None, max_length=50)
    time_zone: TimeZone | None = None
    variables: dict[str, str] = Field(default_factory=dict, max_length=100)


class ContactTold(Told):
    """A contact."""

    id: str
    phone: str = Field(validation_alias="address", description="E.164")
    name: str | None
    first_name: str | None
    last_name: str | None
    email: str | None
    country: str | None
    language: str | None
    time_zone: str | None
    variables: dict[str, str]
    created_at: datetime


@router.post("", status_code=201)
async def create_contact(
    asked: ContactAsked, caller: ContactsWriter, parts: ServiceParts
) -> ContactTold:
    """Add one contact."""
    wanted = Candidate(row_number=1, address=asked.phone, **asked.model_dump(exclude={"phone"}))
    made = await contacts.create(parts.database, caller.business_id, caller.country, wanted)
    return ContactTold.model_validate(made)


@router.get("")
async def list_contacts(
    caller: ContactsReader, parts: ServiceParts, limit: Limit = 50, cursor: Cursor = None
) -> Page[ContactTold]:
    """Contacts, newest first."""
    before = position_in(cursor, start=AFTER_EVERY_ID)
    rows = await contacts.page(parts.database, caller.business_id, before=before, limit=limit + 1)
    return page_of(rows, limit, ContactTold.model_validate, lambda row: row.id)


@router.get("/{contact_id}")
async def get_contact(contact_id: str, caller: ContactsReader, parts: ServiceParts) -> ContactTold:
    """One contact."""
    contact = await contacts.get(parts.database, caller.business_id, contact_id)
    if contact is None:
        raise errors.not_found("contact")
    return ContactTold.model_validate(contact)
