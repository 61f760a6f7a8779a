"""Audits of a business's own channels, which outbound makes and answers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from trunkline_api import channels, errors
from trunkline_api.gateways import audits as gateway
from trunkline_api.gateways.audits import Difference, Report
from trunkline_api.gateways.outbound import OutboundLog
from trunkline_common.db import Database


async def reports(
    database: Database,
    outbound: OutboundLog,
    business_id: str,
    channel_id: str,
    *,
    before: date,
    limit: int,
) -> Sequence[Report]:
    """Reports of a channel's account, newest first.

    INVARIANT I5: whose channel it is, api's own rows say, before outbound is asked for anything.
    """
    account = await _account(database, business_id, channel_id)
    return await gateway.reports(outbound, business_id, account, before=before, limit=limit)


async def differences(
    database: Database,
    outbound: OutboundLog,
    business_id: str,
    channel_id: str,
    day: date,
    *,
    after: str,
    limit: int,
) -> Sequence[Difference]:
    """What one side alone knew of a day."""
    account = await _account(database, business_id, channel_id)
    found = await gateway.differences(outbound, business_id, account, day, after=after, limit=limit)
    if found is None:
        raise errors.not_found("audit of this day")
    return found


async def _account(database: Database, business_id: str, channel_id: str) -> str:
    channel = await channels.get(database, business_id, channel_id)
    if channel is None:
        raise errors.not_found("channel")
    return channel.account
