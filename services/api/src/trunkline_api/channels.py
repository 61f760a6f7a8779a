"""Channels: credentials are sealed before they are stored, and every change is a new version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from trunkline_api.store import channels as store
from trunkline_api.store.channels import Channel
from trunkline_common.contracts.api import ChannelChanged, ChannelKind
from trunkline_common.db import Database, outbox, transaction
from trunkline_common.db.outbox import Fact
from trunkline_common.ids import CHANNEL, new_id
from trunkline_common.sealing import Sealer


async def create(
    database: Database,
    sealer: Sealer,
    business_id: str,
    *,
    kind: ChannelKind,
    account: str,
    senders: list[str],
    credentials: Mapping[str, str],
    per_second: float,
    concurrent: int,
    correlation_id: str,
) -> Channel:
    """Add a provider account at version 1."""
    channel_id = new_id(CHANNEL)
    async with transaction(database) as session:
        channel = await store.add(
            session,
            id=channel_id,
            business_id=business_id,
            kind=kind,
            account=account,
            senders=senders,
            sealed=sealer.seal(dict(credentials), channel_id),
            per_second=per_second,
            concurrent=concurrent,
        )
        await outbox.add(session, _changed(channel, correlation_id))
    return channel


async def change(
    database: Database,
    sealer: Sealer,
    business_id: str,
    channel_id: str,
    *,
    changes: Mapping[str, object],
    credentials: Mapping[str, str] | None,
    correlation_id: str,
) -> Channel | None:
    """Make the next version; None where the business has no such channel."""
    async with transaction(database) as session:
        held = await store.lock(session, business_id, channel_id)
        if held is None:
            return None
        wanted = replace(held, **changes)
        if credentials is not None:
            key_id, sealed = sealer.seal(dict(credentials), channel_id)
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
    )
    return Fact(event, channel.business_id, correlation_id, sequence=channel.version)
