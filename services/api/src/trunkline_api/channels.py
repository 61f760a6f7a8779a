"""Channels: credentials are sealed before they are stored, and every change is a new version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from trunkline_api.store import channels as store
from trunkline_api.store.channels import Channel
from trunkline_common.contracts.api import ChannelChanged, ChannelKind
from trunkline_common.contracts.limits import NumberCaps
from trunkline_common.db import Database, outbox, transaction
from trunkline_common.db.outbox import Fact
from trunkline_common.ids import CHANNEL, new_id
from trunkline_common.sealing import Sealer


@dataclass(frozen=True, slots=True)
class NewChannel:
    """A provider account as it is asked for, credentials in the open."""

    kind: ChannelKind
    account: str
    senders: list[str]
    credentials: dict[str, str] = field(repr=False)
    per_second: float
    concurrent: int
    per_number: dict[str, Any] | None = None


async def create(
    database: Database, sealer: Sealer, business_id: str, new: NewChannel, *, correlation_id: str
) -> Channel:
    """Add a provider account at version 1."""
    channel_id = new_id(CHANNEL)
    key_id, sealed = sealer.seal(new.credentials, channel_id)
    async with transaction(database) as session:
        values = {
            "id": channel_id,
            "business_id": business_id,
            "kind": new.kind,
            "account": new.account,
            "senders": new.senders,
            "key_id": key_id,
            "sealed": sealed,
            "per_second": new.per_second,
            "concurrent": new.concurrent,
            "per_number": new.per_number,
        }
        channel = await store.add(session, values)
        await outbox.add(session, _changed(channel, correlation_id))
    return channel


async def change(
    database: Database,
    sealer: Sealer,
    seen: Channel,
    *,
    changes: Mapping[str, Any],
    credentials: Mapping[str, str] | None,
    correlation_id: str,
) -> Channel:
    """Make the channel's next version, from its newest one and not from the one that was seen."""
    async with transaction(database) as session:
        held = await store.lock(session, seen.business_id, seen.id) or seen
        wanted = replace(held, **changes)
        if credentials is not None:
            key_id, sealed = sealer.seal(dict(credentials), held.id)
            wanted = replace(wanted, key_id=key_id, sealed=sealed)
        channel = await store.change(session, wanted)
        await outbox.add(session, _changed(channel, correlation_id))
    return channel


async def get(database: Database, business_id: str, channel_id: str) -> Channel | None:
    """One channel."""
    async with transaction(database) as session:
        return await store.get(session, business_id, channel_id)


async def page(database: Database, business_id: str, *, before: str, limit: int) -> list[Channel]:
    """Channels, newest first."""
    async with transaction(database) as session:
        return await store.page(session, business_id, before=before, limit=limit)


def _changed(channel: Channel, correlation_id: str) -> Fact:
    event = ChannelChanged(
        channel_id=channel.id,
        kind=channel.kind,
        version=channel.version,
        account=channel.account,
        senders=tuple(channel.senders),
        key_id=channel.key_id,
        sealed=channel.sealed,
        per_second=channel.per_second,
        concurrent=channel.concurrent,
        enabled=channel.enabled,
        per_number=_caps(channel),
    )
    return Fact(event, channel.business_id, correlation_id, sequence=channel.version)


def _caps(channel: Channel) -> NumberCaps | None:
    caps = channel.per_number
    return None if caps is None else NumberCaps.model_validate(caps)
