"""Contacts and who is in an audience."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_api.store.rows import every, first
from trunkline_common.ids import CONTACT, new_id


@dataclass(frozen=True, slots=True)
class Contact:
    """Somebody who may be called or written to."""

    id: str
    address: str
    name: str | None
    first_name: str | None
    last_name: str | None
    email: str | None
    country: str | None
    language: str | None
    time_zone: str | None
    variables: dict[str, str]
    created_at: datetime
    tags: list[str]
    version: int
    updated_at: datetime | None


class NewContact(Protocol):
    """What a contact is made of, wherever it comes from."""

    @property
    def address(self) -> str: ...
    @property
    def name(self) -> str | None: ...
    @property
    def first_name(self) -> str | None: ...
    @property
    def last_name(self) -> str | None: ...
    @property
    def email(self) -> str | None: ...
    @property
    def country(self) -> str | None: ...
    @property
    def language(self) -> str | None: ...
    @property
    def time_zone(self) -> str | None: ...
    @property
    def variables(self) -> dict[str, str]: ...


_PARAMETERS: Final = {
    "addresses": "address",
    "names": "name",
    "first_names": "first_name",
    "last_names": "last_name",
    "emails": "email",
    "countries": "country",
    "languages": "language",
    "zones": "time_zone",
}
COLUMNS: Final = (
    "id, address, name, first_name, last_name, email, country, language, time_zone, variables,"
    " created_at, tags, version, updated_at"
)
# Sorted by address, so that two imports of the same people wait for each other instead of dying.
_ADD: Final = text(
    """
INSERT INTO contacts (business_id, id, address, name, first_name, last_name, email, country,
                      language, time_zone, variables)
SELECT :business_id, id, address, name, first_name, last_name, email, country, language,
       time_zone, CAST(variables AS jsonb)
  FROM unnest(CAST(:ids AS text[]), CAST(:addresses AS text[]), CAST(:names AS text[]),
              CAST(:first_names AS text[]), CAST(:last_names AS text[]), CAST(:emails AS text[]),
              CAST(:countries AS text[]), CAST(:languages AS text[]), CAST(:zones AS text[]),
              CAST(:variables AS text[]))
       AS new (id, address, name, first_name, last_name, email, country, language, time_zone,
               variables)
 ORDER BY address
ON CONFLICT (business_id, address) DO NOTHING
RETURNING id, address
"""
)
# Whoever puts somebody on a list keeps them from being deleted meanwhile, as its foreign key would.
_BY_ADDRESS: Final = text(
    """
SELECT id, address FROM contacts
 WHERE business_id = :business_id AND address = ANY(CAST(:addresses AS text[]))
   FOR KEY SHARE
"""
)
_GET: Final = text(
    f"SELECT {COLUMNS} FROM contacts WHERE business_id = :business_id AND id = :contact_id"  # noqa: S608
)
_PAGE: Final = text(
    f"""
SELECT {COLUMNS} FROM contacts WHERE business_id = :business_id AND id < :before
 ORDER BY id DESC LIMIT :limit
"""  # noqa: S608
)
_TAG: Final = text(
    """
UPDATE contacts SET tags = CAST(:tags AS text[])
 WHERE business_id = :business_id AND id = :contact_id
"""
)
_ANY: Final = text("SELECT 1 FROM contacts WHERE business_id = :business_id LIMIT 1")
_JOIN: Final = text(
    """
INSERT INTO audience_members (list_id, position, business_id, contact_id)
SELECT :list_id, :first + ordinality, :business_id, contact_id
  FROM unnest(CAST(:contact_ids AS text[])) WITH ORDINALITY AS member (contact_id, ordinality)
"""
)
_KNOWN: Final = text(
    """
SELECT id FROM contacts
 WHERE business_id = :business_id AND id = ANY(CAST(:contact_ids AS text[]))
   FOR KEY SHARE
"""
)
_HAS_MEMBERS: Final = text(
    """
SELECT 1 FROM audience_members WHERE business_id = :business_id AND list_id = :list_id LIMIT 1
"""
)


async def add_missing(
    session: AsyncSession, business_id: str, contacts: Sequence[NewContact]
) -> dict[str, str]:
    """Add those whose address is new; address to id of what was added. Who exists is kept as is."""
    values: dict[str, object] = {"business_id": business_id}
    values["ids"] = [new_id(CONTACT) for _ in contacts]
    for parameter, field in _PARAMETERS.items():
        values[parameter] = [getattr(contact, field) for contact in contacts]
    values["variables"] = [json.dumps(contact.variables) for contact in contacts]
    rows = await session.execute(_ADD, values)
    return {row.address: row.id for row in rows}


async def ids_of(
    session: AsyncSession, business_id: str, addresses: Sequence[str]
) -> dict[str, str]:
    """Address to id of the contacts that exist."""
    values = {"business_id": business_id, "addresses": list(addresses)}
    return {row.address: row.id for row in await session.execute(_BY_ADDRESS, values)}


async def get(session: AsyncSession, business_id: str, contact_id: str) -> Contact | None:
    """One contact of a business."""
    values = {"business_id": business_id, "contact_id": contact_id}
    return first(await session.execute(_GET, values), Contact)


async def tag(
    session: AsyncSession, business_id: str, contact_id: str, tags: Sequence[str]
) -> None:
    """Give a contact that is being made its tags."""
    values = {"business_id": business_id, "contact_id": contact_id, "tags": list(tags)}
    await session.execute(_TAG, values)


async def page(
    session: AsyncSession, business_id: str, *, before: str, limit: int
) -> list[Contact]:
    """Contacts, newest first."""
    values = {"business_id": business_id, "before": before, "limit": limit}
    return every(await session.execute(_PAGE, values), Contact)


async def is_there_any(session: AsyncSession, business_id: str, list_id: str | None) -> bool:
    """Whether an audience has anybody in it; without a list it is everybody."""
    if list_id is None:
        rows = await session.execute(_ANY, {"business_id": business_id})
    else:
        rows = await session.execute(_HAS_MEMBERS, {"business_id": business_id, "list_id": list_id})
    return rows.first() is not None


async def unknown_of(
    session: AsyncSession, business_id: str, contact_ids: Sequence[str]
) -> list[str]:
    """Those of the ids that are no contact of this business."""
    values = {"business_id": business_id, "contact_ids": list(contact_ids)}
    known = set((await session.execute(_KNOWN, values)).scalars())
    return [contact_id for contact_id in contact_ids if contact_id not in known]


async def add_members(
    session: AsyncSession,
    business_id: str,
    list_id: str,
    contact_ids: Sequence[str],
    *,
    first_position: int = 0,
) -> None:
    """Put contacts on a list, in this order."""
    values = {
        "business_id": business_id,
        "list_id": list_id,
        "contact_ids": list(contact_ids),
        "first": first_position,
    }
    await session.execute(_JOIN, values)
