"""What contacts agreed to and took back, channel by channel, with who says so.

A withdrawal is an opt-out: the contact is suppressed on that channel in the same commit. A grant
lifts nothing. Whoever wants somebody called again lifts the suppression by its id, as a decision
of its own: it may be there for another reason.
"""

from __future__ import annotations

from datetime import UTC, datetime

from trunkline_api import errors, suppressions
from trunkline_api.domain.suppressions import Entry
from trunkline_api.keys import Caller
from trunkline_api.store import consents as store
from trunkline_api.store import contact_edits, contacts
from trunkline_api.store import suppressions as suppressed
from trunkline_api.store.consents import Consent, NewConsent
from trunkline_common.db import Database, transaction


async def record(
    database: Database, caller: Caller, contact_id: str, new: NewConsent, *, correlation_id: str
) -> Consent:
    """Keep what a contact said; where that is a withdrawal nobody said anything after, obey it."""
    if new.at is not None and new.at > datetime.now(UTC):
        raise errors.invalid("#/at", "lies in the future")
    business_id = caller.business_id
    async with transaction(database) as session:
        await suppressed.lock(session, business_id)
        if await contact_edits.lock(session, business_id, contact_id) is None:
            raise errors.not_found("contact")
        kept = await store.add(
            session, business_id, contact_id, new, by=caller.key_id, correlation_id=correlation_id
        )
        if kept.state == "withdrawn" and kept.in_force:
            await suppressions.add(
                session, business_id, [_opt_out(kept)], by=caller.key_id,
                correlation_id=correlation_id,
            )  # fmt: skip
    return kept


def _opt_out(kept: Consent) -> Entry:
    return Entry(
        kind="contact",
        value=kept.contact_id,
        channel=kept.channel,
        source="consent",
        reason=f"withdrawn: {kept.source}",
        evidence=kept.evidence,
    )


async def page(
    database: Database, business_id: str, contact_id: str, *, before: str, limit: int
) -> list[Consent] | None:
    """What was recorded for a contact, latest first; None where there is no such contact."""
    async with transaction(database) as session:
        if await contacts.get(session, business_id, contact_id) is None:
            return None
        return await store.page(session, business_id, contact_id, before=before, limit=limit)
