"""Channels: a business's accounts with providers, credentials sealed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_api.store.rows import every, first, only
from trunkline_common.contracts.api import ChannelKind


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel with everything but a way to open its credentials."""

    id: str
    business_id: str
    kind: ChannelKind
    account: str
    senders: list[str]
    key_id: str
    sealed: str
    per_second: float
    concurrent: int
    enabled: bool
    version: int
    created_at: datetime
    updated_at: datetime
    inbound: dict[str, Any] | None = None
    per_number: dict[str, Any] | None = None


_COLUMNS: Final = (
    "id, business_id, kind, account, senders, key_id, sealed, per_second, concurrent, enabled,"
    " version, created_at, updated_at, inbound, per_number"
)
_ADD: Final = text(
    f"""
INSERT INTO channels (id, business_id, kind, account, senders, key_id, sealed, per_second,
                      concurrent, per_number)
VALUES (:id, :business_id, :kind, :account, CAST(:senders AS text[]), :key_id, :sealed,
        :per_second, :concurrent, CAST(:per_number AS jsonb))
RETURNING {_COLUMNS}
"""  # noqa: S608
)
_GET: Final = text(
    f"SELECT {_COLUMNS} FROM channels WHERE business_id = :business_id AND id = :channel_id"  # noqa: S608
)
_LOCK: Final = text(
    f"SELECT {_COLUMNS} FROM channels WHERE business_id = :business_id AND id = :channel_id"  # noqa: S608
    " FOR UPDATE"
)
_LIST: Final = text(
    f"""
SELECT {_COLUMNS} FROM channels WHERE business_id = :business_id AND id < :before
 ORDER BY id DESC LIMIT :limit
"""  # noqa: S608
)
_CHANGE: Final = text(
    f"""
UPDATE channels
   SET senders = CAST(:senders AS text[]), key_id = :key_id, sealed = :sealed,
       per_second = :per_second, concurrent = :concurrent, enabled = :enabled,
       per_number = CAST(:per_number AS jsonb),
       version = version + 1, updated_at = clock_timestamp()
 WHERE business_id = :business_id AND id = :id
RETURNING {_COLUMNS}
"""  # noqa: S608
)
_SPEAK: Final = text(
    """
UPDATE channels SET inbound = CAST(:inbound AS jsonb)
 WHERE business_id = :business_id AND id = :channel_id AND kind = 'voice'
RETURNING id
"""
)
# A provider's callback names a channel and no business: the channel is what names the business.
_CALLED_BACK: Final = text(f"SELECT {_COLUMNS} FROM channels WHERE id = :channel_id")  # noqa: S608


async def add(session: AsyncSession, values: Mapping[str, object]) -> Channel:
    """Add a channel at version 1; `values` holds every column without a default."""
    caps = values["per_number"]
    kept = {**values, "per_number": None if caps is None else json.dumps(caps)}
    return only(await session.execute(_ADD, kept), Channel)


async def get(session: AsyncSession, business_id: str, channel_id: str) -> Channel | None:
    """One channel of a business."""
    values = {"business_id": business_id, "channel_id": channel_id}
    return first(await session.execute(_GET, values), Channel)


async def lock(session: AsyncSession, business_id: str, channel_id: str) -> Channel | None:
    """The same, held until the transaction ends, so that two changes make two versions."""
    values = {"business_id": business_id, "channel_id": channel_id}
    return first(await session.execute(_LOCK, values), Channel)


async def page(
    session: AsyncSession, business_id: str, *, before: str, limit: int
) -> list[Channel]:
    """Channels, newest first."""
    values = {"business_id": business_id, "before": before, "limit": limit}
    return every(await session.execute(_LIST, values), Channel)


async def change(session: AsyncSession, channel: Channel) -> Channel:
    """Write a locked channel's new values as its next version."""
    values = {
        "id": channel.id,
        "business_id": channel.business_id,
        "senders": channel.senders,
        "key_id": channel.key_id,
        "sealed": channel.sealed,
        "per_second": channel.per_second,
        "concurrent": channel.concurrent,
        "enabled": channel.enabled,
        "per_number": None if channel.per_number is None else json.dumps(channel.per_number),
    }
    return only(await session.execute(_CHANGE, values), Channel)


async def speak(
    session: AsyncSession, business_id: str, channel_id: str, inbound: str | None
) -> bool:
    """Keep what a voice channel says to callers, as JSON; False where there is no such channel."""
    values = {"business_id": business_id, "channel_id": channel_id, "inbound": inbound}
    return (await session.execute(_SPEAK, values)).first() is not None


async def called_back(session: AsyncSession, channel_id: str) -> Channel | None:
    """The channel in a callback's URL, before anything in the callback is believed."""
    return first(await session.execute(_CALLED_BACK, {"channel_id": channel_id}), Channel)
