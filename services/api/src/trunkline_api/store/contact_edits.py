"""One contact changed or deleted, and what a deletion has to look at first."""

from __future__ import annotations

import json
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_api.store.contacts import COLUMNS, Contact
from trunkline_api.store.feeds import is_everybody
from trunkline_api.store.rows import first, only

_LOCK: Final = text(
    f"""
SELECT {COLUMNS} FROM contacts WHERE business_id = :business_id AND id = :contact_id
   FOR NO KEY UPDATE
"""  # noqa: S608
)
_CHANGE: Final = text(
    f"""
UPDATE contacts
   SET address = :address, name = :name, first_name = :first_name, last_name = :last_name,
       email = :email, country = :country, language = :language, time_zone = :time_zone,
       variables = CAST(:variables AS jsonb), tags = CAST(:tags AS text[]),
       version = version + 1, updated_at = clock_timestamp()
 WHERE business_id = :business_id AND id = :contact_id
RETURNING {COLUMNS}
"""  # noqa: S608
)
_ALONE: Final = text("SELECT pg_advisory_xact_lock(hashtextextended(:business_id, 160))")
# A run's people are those of its list and of what was added to it, or everybody.
_RUN_WITH: Final = text(
    f"""
SELECT run.id
  FROM contacts
  JOIN runs AS run ON run.business_id = contacts.business_id
  LEFT JOIN audience_feeds AS feed
    ON feed.run_id = run.id AND feed.business_id = run.business_id
 WHERE contacts.business_id = :business_id AND contacts.id = :contact_id
   AND run.business_id = :business_id
   AND run.state NOT IN ('draft', 'cancelled', 'completed', 'failed', 'rejected')
   AND (EXISTS (SELECT FROM audience_members AS member
                 WHERE member.contact_id = :contact_id AND member.business_id = :business_id
                   AND (member.list_id = run.list_id OR member.list_id IN (
                        SELECT addition.list_id FROM addition_feeds AS addition
                         WHERE addition.business_id = :business_id
                           AND addition.run_id = run.id)))
        OR run.list_id IS NULL
           AND {is_everybody("feed.created_at", "feed.snapshot")})
 LIMIT 1
"""  # noqa: S608
)
_LEAVE: Final = text(
    "DELETE FROM audience_members WHERE business_id = :business_id AND contact_id = :contact_id"
)
_DELETE: Final = text("DELETE FROM contacts WHERE business_id = :business_id AND id = :contact_id")


async def lock(session: AsyncSession, business_id: str, contact_id: str) -> Contact | None:
    """One contact, nobody else's to change until the transaction ends."""
    values = {"business_id": business_id, "contact_id": contact_id}
    return first(await session.execute(_LOCK, values), Contact)


async def change(session: AsyncSession, business_id: str, contact: Contact) -> Contact:
    """Keep a locked contact as it is given; its version grows."""
    names = ("address", "name", "first_name", "last_name", "email", "country", "language")
    values: dict[str, Any] = {name: getattr(contact, name) for name in (*names, "time_zone")}
    values |= {"business_id": business_id, "contact_id": contact.id}
    values |= {"variables": json.dumps(contact.variables), "tags": list(contact.tags)}
    return only(await session.execute(_CHANGE, values), Contact)


async def keep_runs_from_starting(session: AsyncSession, business_id: str) -> None:
    """Until the transaction ends; those whose start has not committed are waited for."""
    await session.execute(_ALONE, {"business_id": business_id})


async def run_with(session: AsyncSession, business_id: str, contact_id: str) -> str | None:
    """A run that was started, is not over, and has this contact in its audience."""
    values = {"business_id": business_id, "contact_id": contact_id}
    found: str | None = (await session.execute(_RUN_WITH, values)).scalar()
    return found


async def delete(session: AsyncSession, business_id: str, contact_id: str) -> None:
    """The contact is on no list and is no more."""
    values = {"business_id": business_id, "contact_id": contact_id}
    await session.execute(_LEAVE, values)
    await session.execute(_DELETE, values)
