"""Businesses and their provider accounts as api told us; credentials stay sealed in the row."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_common.contracts.api import (
    BusinessCreated,
    BusinessSettingsChanged,
    ChannelChanged,
)

_BUSINESS = text(
    """
INSERT INTO businesses (business_id, country, time_zone)
VALUES (:business_id, :country, :time_zone)
ON CONFLICT (business_id) DO NOTHING
"""
)
_SETTINGS = text(
    """
INSERT INTO businesses (business_id, country, time_zone, holidays, version)
VALUES (:business_id, :country, :time_zone, CAST(:holidays AS date[]), :version)
ON CONFLICT (business_id) DO UPDATE
   SET country = excluded.country, time_zone = excluded.time_zone,
       holidays = excluded.holidays, version = excluded.version
 WHERE businesses.version < excluded.version
"""
)
# Only the whole state of an aggregate may be dropped by its version.
_CHANNEL = text(
    """
INSERT INTO channels (channel_id, business_id, kind, version, account, senders, key_id, sealed,
                      per_second, concurrent, enabled)
VALUES (:channel_id, :business_id, :kind, :version, :account, CAST(:senders AS text[]), :key_id,
        :sealed, :per_second, :concurrent, :enabled)
ON CONFLICT (channel_id) DO UPDATE
   SET version = excluded.version, account = excluded.account, senders = excluded.senders,
       key_id = excluded.key_id, sealed = excluded.sealed, per_second = excluded.per_second,
       concurrent = excluded.concurrent, enabled = excluded.enabled
 WHERE channels.version < excluded.version AND channels.business_id = excluded.business_id
RETURNING channel_id
"""
)
_GET = text(
    """
SELECT channel_id, business_id, kind, version, account, senders, key_id, sealed, per_second,
       concurrent, enabled
  FROM channels WHERE channel_id = :channel_id AND business_id = :business_id
"""
)

_KNOWN = text(
    """
SELECT EXISTS (SELECT FROM channels
                WHERE channel_id = :channel_id AND business_id = :business_id)
"""
)


@dataclass(frozen=True, slots=True)
class Channel:
    """A business's account with a provider. `per_second` is what the account allows."""

    channel_id: str
    business_id: str
    kind: str
    version: int
    account: str
    senders: tuple[str, ...]
    key_id: str
    sealed: str
    per_second: float
    concurrent: int
    enabled: bool


async def upsert_business(session: AsyncSession, event: BusinessCreated) -> None:
    """Know a business."""
    parameters = {
        "business_id": event.business_id,
        "country": event.country,
        "time_zone": event.time_zone,
    }
    await session.execute(_BUSINESS, parameters)


async def change_settings(
    session: AsyncSession, event: BusinessSettingsChanged, *, business_id: str
) -> None:
    """Keep the newest settings of a business; what it was created with has version 0."""
    parameters = {
        "business_id": business_id,
        "country": event.country,
        "time_zone": event.time_zone,
        "holidays": list(event.holidays),
        "version": event.version,
    }
    await session.execute(_SETTINGS, parameters)


async def upsert_channel(session: AsyncSession, event: ChannelChanged, *, business_id: str) -> bool:
    """Keep the newest version of a channel; whether this one was newer."""
    parameters = event.model_dump() | {"business_id": business_id, "senders": list(event.senders)}
    return (await session.execute(_CHANNEL, parameters)).first() is not None


async def get_channel(
    session: AsyncSession, channel_id: str, *, business_id: str
) -> Channel | None:
    """A channel of this business, or None."""
    parameters = {"channel_id": channel_id, "business_id": business_id}
    row = (await session.execute(_GET, parameters)).mappings().first()
    if row is None:
        return None
    fields = dict(row)
    fields["senders"] = tuple(row["senders"])
    return Channel(**fields)


async def is_known(session: AsyncSession, channel_id: str, *, business_id: str) -> bool:
    """Whether this business has such a channel, enabled or not."""
    parameters = {"channel_id": channel_id, "business_id": business_id}
    return bool((await session.execute(_KNOWN, parameters)).scalar())
