"""Consents as they were recorded: rows are added and never changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_api.store.rows import every, only
from trunkline_common.contracts.api import ChannelKind
from trunkline_common.ids import CONSENT, new_id

State = Literal["granted", "withdrawn"]


@dataclass(frozen=True, slots=True)
class NewConsent:
    """What somebody says of a contact's consent; `at` is None where it was said just now."""

    channel: ChannelKind
    state: State
    source: str
    evidence: str | None
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Consent:
    """One of them; `in_force` if the contact has said nothing later for this channel."""

    id: str
    contact_id: str
    channel: ChannelKind
    state: State
    source: str
    evidence: str | None
    at: datetime
    recorded_by: str
    recorded_at: datetime
    in_force: bool


_COLUMNS: Final = "id, contact_id, channel, state, source, evidence, at, recorded_by, recorded_at"
# What was said last counts, not what was recorded last: an old form may be typed in afterwards.
_IN_FORCE: Final = """
NOT EXISTS (SELECT FROM contact_consents AS later
             WHERE later.business_id = :business_id AND later.contact_id = consent.contact_id
               AND later.channel = consent.channel
               AND (later.at, later.id) > (consent.at, consent.id)) AS in_force
"""
_ADD: Final = text(
    """
INSERT INTO contact_consents (business_id, id, contact_id, channel, state, source, evidence, at,
                              recorded_by, correlation_id)
VALUES (:business_id, :id, :contact_id, :channel, :state, :source, :evidence,
        coalesce(CAST(:at AS timestamptz), clock_timestamp()), :by, :correlation_id)
"""
)
_GET: Final = text(
    f"""
SELECT {_COLUMNS}, {_IN_FORCE} FROM contact_consents AS consent
 WHERE business_id = :business_id AND id = :id
"""  # noqa: S608
)
_PAGE: Final = text(
    f"""
SELECT {_COLUMNS}, {_IN_FORCE} FROM contact_consents AS consent
 WHERE business_id = :business_id AND contact_id = :contact_id AND id < :before
 ORDER BY id DESC LIMIT :limit
"""  # noqa: S608
)


async def add(
    session: AsyncSession,
    business_id: str,
    contact_id: str,
    new: NewConsent,
    *,
    by: str,
    correlation_id: str,
) -> Consent:
    """Record one for a contact that is locked."""
    values: dict[str, object] = {name: getattr(new, name) for name in NewConsent.__slots__}
    values |= {"business_id": business_id, "id": new_id(CONSENT), "contact_id": contact_id}
    values |= {"by": by, "correlation_id": correlation_id}
    await session.execute(_ADD, values)
    return only(
        await session.execute(_GET, {"business_id": business_id, "id": values["id"]}), Consent
    )


async def page(
    session: AsyncSession, business_id: str, contact_id: str, *, before: str, limit: int
) -> list[Consent]:
    """Of one contact, what was recorded last first."""
    values = {"business_id": business_id, "contact_id": contact_id}
    return every(await session.execute(_PAGE, values | {"before": before, "limit": limit}), Consent)
