"""Contacts changed and deleted, under the precondition that whoever asks has seen the last state.

A contact in a run that goes on is not deleted: outbound has copies of whom the run is for, and
would call somebody of whom nothing is known here any more. Nothing that says "do not call" is
lost with a contact: what was suppressed by its id is suppressed by its number from then on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_api import errors, suppressions
from trunkline_api.domain.candidates import LONGEST_VARIABLES, variables_size
from trunkline_api.domain.edits import edited
from trunkline_api.domain.etags import if_match
from trunkline_api.domain.phones import Unusable, normalise
from trunkline_api.domain.suppressions import Entry
from trunkline_api.keys import Caller
from trunkline_api.store import contact_edits as store
from trunkline_api.store import contacts
from trunkline_api.store import suppressions as suppressed
from trunkline_api.store.contacts import Contact
from trunkline_common.db import Database, transaction


async def change(
    database: Database, caller: Caller, contact_id: str, asked: Mapping[str, Any], match: str | None
) -> Contact:
    """Merge what is asked into a contact. Where nothing is different its version stays, too."""
    try:
        async with transaction(database) as session:
            now = await _locked(session, caller.business_id, contact_id, match)
            different = edited(asdict(now), asked)
            if (
                "variables" in different
                and variables_size(different["variables"]) > LONGEST_VARIABLES
            ):
                raise errors.invalid("#/variables", f"more than {LONGEST_VARIABLES} bytes")
            if "phone" in asked:
                country = asked.get("country") or now.country or caller.country
                address = await _free_address(session, caller, contact_id, asked["phone"], country)
                if address != now.address:
                    different["address"] = address
            if not different:
                return now
            return await store.change(session, caller.business_id, replace(now, **different))
    except IntegrityError:
        raise errors.conflict("contact-exists", "another contact has this number") from None


async def delete(
    database: Database, caller: Caller, contact_id: str, match: str | None, *, correlation_id: str
) -> None:
    """Delete a contact that no run which goes on is for; calls and messages keep what they say."""
    business_id = caller.business_id
    async with transaction(database) as session:
        await suppressed.lock(session, business_id)
        await store.keep_runs_from_starting(session, business_id)
        contact = await _locked(session, business_id, contact_id, match)
        run_id = await store.run_with(session, business_id, contact_id)
        if run_id is not None:
            detail = f"{run_id} goes on with this contact; cancel it, or wait for its end"
            raise errors.conflict("contact-in-run", detail)
        kept = await suppressed.of_contact(session, business_id, contact_id)
        if kept:
            entries = [_by_number(one, contact.address) for one in kept]
            await suppressions.add(
                session, business_id, entries, by=caller.key_id, correlation_id=correlation_id
            )
        await store.delete(session, business_id, contact_id)


async def _locked(
    session: AsyncSession, business_id: str, contact_id: str, match: str | None
) -> Contact:
    contact = await store.lock(session, business_id, contact_id)
    if contact is None:
        raise errors.not_found("contact")
    if not if_match(match, contact.version):
        raise errors.precondition_failed()
    return contact


async def _free_address(
    session: AsyncSession, caller: Caller, contact_id: str, raw: str, country: str
) -> str:
    phone = normalise(raw, country)
    if isinstance(phone, Unusable):
        raise errors.invalid("#/phone", f"not a number that can be called: {phone.reason}")
    holder = await contacts.ids_of(session, caller.business_id, [phone.address])
    if holder.get(phone.address, contact_id) != contact_id:
        detail = f"this number belongs to {holder[phone.address]}"
        raise errors.conflict("contact-exists", detail)
    return phone.address


def _by_number(one: suppressed.Suppression, address: str) -> Entry:
    return Entry(
        kind="address",
        value=address,
        channel=one.channel,
        source=one.source,
        reason=one.reason,
        evidence=one.evidence,
    )
