"""What the caps of a channel's numbers allow all of them together, as forecasts need it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_outbound.domain.forecasts import Quota
from trunkline_outbound.domain.senders import day_of
from trunkline_outbound.store import senders
from trunkline_outbound.store.channels import Channel

NUMBERS_PACE: Final = "numbers_pace"
NUMBERS_PER_DAY: Final = "numbers_per_day"
_DAY: Final = 86_400


@dataclass(frozen=True, slots=True)
class NumberLimits:
    """Caps of a pool: its pace by rule, its calls in the air, and what it may call in a day."""

    paces: Mapping[str, float] = field(default_factory=dict)
    concurrent: int | None = None
    quota: Quota | None = None


async def limits_of(
    session: AsyncSession, channel: Channel, zone: str | None, *, now: datetime, at: datetime
) -> NumberLimits:
    """What the numbers may do together from that moment on; what they did today is counted."""
    caps, numbers = channel.per_number, len(channel.senders)
    if channel.kind != "voice" or caps is None or not numbers:
        return NumberLimits()
    paces, quota = {}, None
    if caps.per_second is not None:
        paces[NUMBERS_PACE] = numbers * caps.per_second
    if caps.per_day is not None:
        paces[NUMBERS_PER_DAY] = numbers * caps.per_day / _DAY
        today = day_of(now, zone)
        used = await senders.use(session, channel, day=today, counts_air=False)
        left = sum(max(caps.per_day - one.today, 0) for one in used)
        whole = numbers * caps.per_day
        quota = Quota(whole, left if day_of(at, zone) == today else whole, _zone(zone))
    concurrent = None if caps.concurrent is None else numbers * caps.concurrent
    return NumberLimits(paces, concurrent, quota)


def _zone(name: str | None) -> ZoneInfo:
    """As `day_of` has it: the business's own, else UTC."""
    try:
        return ZoneInfo(name or "UTC")
    except (KeyError, ValueError):
        return ZoneInfo("UTC")
