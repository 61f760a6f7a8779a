"""/v1/contacts."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import Field, StringConstraints

from trunkline_api import contact_edits, contacts, errors
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
from trunkline_api.routes.preconditions import (
    CHANGED,
    MADE,
    PRECONDITION,
    READ,
    IfMatch,
    tell_etag,
)
from trunkline_api.routes.values import TimeZone
from trunkline_api.store.contacts import Contact
from trunkline_common.http import correlation_id

router = APIRouter(prefix="/contacts", tags=["contacts"], route_class=PublicRoute)


Tag = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=50)]


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
    tags: list[Tag] = Field(default_factory=list, max_length=50, examples=[["vip"]])


class ContactPatch(Asked):
    """A merge patch: what is not named stays, null clears.

    `tags` are replaced whole, `variables` name by name. Runs that go on keep what they started
    with.
    """

    phone: str = Field(
        default_factory=str, min_length=1, max_length=200, examples=["+49 171 7654321"]
    )
    name: str | None = Field(default=None, max_length=500, examples=["Ada Lovelace"])
    first_name: str | None = Field(default=None, max_length=500)
    last_name: str | None = Field(default=None, max_length=500)
    email: str | None = Field(default=None, max_length=500)
    country: Country | None = None
    language: str | None = Field(default=None, max_length=50)
    time_zone: TimeZone | None = None
    variables: dict[str, str | None] | None = Field(
        default=None, max_length=100, examples=[{"offer": "spring", "old_offer": None}]
    )
    tags: list[Tag] | None = Field(default=None, max_length=50, examples=[["vip"]])


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
    tags: list[str]
    version: int = Field(description='grows with every change; its `ETag` is `"v<version>"`')
    created_at: datetime
    updated_at: datetime | None = Field(description="null until it is changed")


@router.post("", status_code=201, responses=MADE)
async def create_contact(
    asked: ContactAsked, caller: ContactsWriter, parts: ServiceParts, response: Response
) -> ContactTold:
    """Add one contact."""
    wanted = Candidate(
        row_number=1, address=asked.phone, **asked.model_dump(exclude={"phone", "tags"})
    )
    made = await contacts.create(parts.database, caller, wanted, tags=asked.tags)
    return _told(made, response)


@router.get("")
async def list_contacts(
    caller: ContactsReader, parts: ServiceParts, limit: Limit = 50, cursor: Cursor = None
) -> Page[ContactTold]:
    """Contacts, newest first."""
    before = position_in(cursor, start=AFTER_EVERY_ID)
    rows = await contacts.page(parts.database, caller.business_id, before=before, limit=limit + 1)
    return page_of(rows, limit, ContactTold.model_validate, lambda row: row.id)


@router.get("/{contact_id}", responses=READ)
async def get_contact(
    contact_id: str, caller: ContactsReader, parts: ServiceParts, response: Response
) -> ContactTold:
    """One contact."""
    contact = await contacts.get(parts.database, caller.business_id, contact_id)
    if contact is None:
        raise errors.not_found("contact")
    return _told(contact, response)


@router.patch("/{contact_id}", responses=CHANGED)
async def change_contact(
    contact_id: str,
    asked: ContactPatch,
    caller: ContactsWriter,
    parts: ServiceParts,
    response: Response,
    if_match: IfMatch = None,
) -> ContactTold:
    """Change one contact by a merge patch."""
    wanted = asked.model_dump(exclude_unset=True)
    changed = await contact_edits.change(parts.database, caller, contact_id, wanted, if_match)
    return _told(changed, response)


@router.delete("/{contact_id}", status_code=204, responses=PRECONDITION)
async def delete_contact(
    contact_id: str, caller: ContactsWriter, parts: ServiceParts, if_match: IfMatch = None
) -> None:
    """Delete one contact; refused as long as a run goes on with it. Its opt-outs stay in force."""
    await contact_edits.delete(
        parts.database, caller, contact_id, if_match, correlation_id=correlation_id()
    )


def _told(contact: Contact, response: Response) -> ContactTold:
    tell_etag(response, contact.version)
    return ContactTold.model_validate(contact)
