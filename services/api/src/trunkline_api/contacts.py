"""Contacts one at a time; many at once are an import."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from trunkline_api import errors
from trunkline_api.domain.candidates import LONGEST_VARIABLES, Candidate, variables_size
from trunkline_api.domain.phones import Unusable, normalise
from trunkline_api.keys import Caller
from trunkline_api.store import contacts as store
from trunkline_api.store.contacts import Contact
from trunkline_common.db import Database, transaction


async def create(
    database: Database, caller: Caller, wanted: Candidate, *, tags: Collection[str] = ()
) -> Contact:
    """Add one contact; a number that is there already is a conflict that names who has it."""
    business_id, home_country = caller.business_id, caller.country
    phone = normalise(wanted.address, wanted.country or home_country)
    if isinstance(phone, Unusable):
        raise errors.invalid("#/phone", f"not a number that can be called: {phone.reason}")
    if variables_size(wanted.variables) > LONGEST_VARIABLES:
        raise errors.invalid("#/variables", f"more than {LONGEST_VARIABLES} bytes")
    contact = replace(
        wanted, address=phone.address, country=phone.country or wanted.country or home_country
    )
    async with transaction(database) as session:
        added = await store.add_missing(session, business_id, [contact])
        if not added:
            existing = await store.ids_of(session, business_id, [contact.address])
            detail = f"this number belongs to {existing.get(contact.address, 'another contact')}"
            raise errors.conflict("contact-exists", detail)
        if tags:
            await store.tag(session, business_id, added[contact.address], sorted(set(tags)))
        made = await store.get(session, business_id, added[contact.address])
    if made is None:
        raise errors.not_found("contact")
    return made


async def get(database: Database, business_id: str, contact_id: str) -> Contact | None:
    """One contact."""
    async with transaction(database) as session:
        return await store.get(session, business_id, contact_id)


async def page(database: Database, business_id: str, *, before: str, limit: int) -> list[Contact]:
    """Contacts, newest first."""
    async with transaction(database) as session:
        return await store.page(session, business_id, before=before, limit=limit)
