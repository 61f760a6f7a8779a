"""Businesses and their provider accounts as api told us; credentials stay sealed in the row."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_common.contracts.api import (
    BusinessCreated,
    BusinessSettingsChanged,
    ChannelChanged,
)
from trunkline_common.contracts.limits import NumberCaps
from trunkline_common.db.driver import fetch
from trunkline_common.ids import account_scope

_BUSINESS = text(
    """
INSERT INTO businesses (business_id, country, time_zone)
VALUES (:business_id, :country, :time_zone)
ON CONFLICT (business_id) DO NOTHING
RETURNING business_id
"""
)
_SETTINGS = text(
    """
INSERT INTO businesses (business_id, country, time_zone, holidays, budget_most, budget_days,
                        weight, version)
VALUES (:business_id, :country, :time_zone, CAST(:holidays AS date[]), :budget_most, :budget_days,
        :weight, :version)
ON CONFLICT (business_id) DO UPDATE
   SET country = excluded.country, time_zone = excluded.time_zone,
       holidays = excluded.holidays, budget_most = excluded.budget_most,
       budget_days = excluded.budget_days, weight = excluded.weight, version = excluded.version
 WHERE businesses.version < excluded.version
RETURNING business_id
"""
)
# Only the whole state of an aggregate may be dropped by its version. A change lifts the hold: it
# may be the very repair that the hold was waiting for.
_CHANNEL = text(
    """
INSERT INTO channels (channel_id, business_id, kind, version, account, senders, key_id, sealed,
                      per_second, concurrent, enabled, per_number, changed_at)
VALUES (:channel_id, :business_id, :kind, :version, :account, CAST(:senders AS text[]), :key_id,
        :sealed, :per_second, :concurrent, :enabled, CAST(:per_number AS jsonb),
        clock_timestamp())
ON CONFLICT (channel_id) DO UPDATE
   SET version = excluded.version, account = excluded.account, senders = excluded.senders,
       key_id = excluded.key_id, sealed = excluded.sealed, per_second = excluded.per_second,
       concurrent = excluded.concurrent, enabled = excluded.enabled,
       per_number = excluded.per_number, held_until = '-infinity', changed_at = excluded.changed_at
 WHERE channels.version < excluded.version AND channels.business_id = excluded.business_id
RETURNING channel_id
"""
)
COLUMNS = """channels.channel_id, channels.business_id, channels.kind, channels.version, account,
       senders, key_id, sealed, per_second, concurrent, enabled, CAST(per_number AS text),
       held_until > clock_timestamp(), held_until <> '-infinity'"""
_GET = text(
    f"SELECT {COLUMNS} FROM channels"  # noqa: S608 - named above
    " WHERE channel_id = :channel_id AND business_id = :business_id"
)
# An answer to what the account was before its last change says nothing of what it is now.
_HOLD = text(
    """
UPDATE channels SET held_until = clock_timestamp() + make_interval(secs => :seconds)
 WHERE held_until <= clock_timestamp() AND channel_id IN (
       SELECT channels.channel_id FROM channels JOIN attempts USING (channel_id)
        WHERE attempts.attempt_id = ANY (CAST(:attempts AS text[]))
          AND attempts.run_id = ANY (CAST(:runs AS text[]))
          AND channels.changed_at <= attempts.intent_at
        ORDER BY channels.channel_id FOR NO KEY UPDATE OF channels)
RETURNING channel_id
"""
)
_LOCK_TRIAL = text(
    """
SELECT channel_id FROM channels
 WHERE channel_id = :channel_id AND held_until <= clock_timestamp()
   AND held_until <> '-infinity' FOR NO KEY UPDATE
"""
)
_TRY = text(
    """
UPDATE channels SET held_until = clock_timestamp() + make_interval(secs => :seconds)
 WHERE channel_id = :channel_id
"""
)
_TRUST = text(
    """
UPDATE channels SET held_until = '-infinity' WHERE channel_id IN (
       SELECT channel_id FROM channels
        WHERE channel_id = ANY (CAST(:channels AS text[])) AND held_until <> '-infinity'
        ORDER BY channel_id FOR NO KEY UPDATE)
"""
)
HOLD_SECONDS = 60.0

_KNOWN = text(
    """
SELECT EXISTS (SELECT FROM channels
                WHERE channel_id = :channel_id AND business_id = :business_id)
"""
)


@dataclass(frozen=True, slots=True)
class Channel:
    """A business's account with a provider. `per_second` is what the account allows.

    `is_doubted`: it was refused and nothing was accepted since; `is_held`: not to be tried now.
    """

    channel_id: str
    business_id: str
    kind: str
    version: int
    account: str
    senders: Sequence[str]
    key_id: str
    sealed: str
    per_second: float
    concurrent: int
    enabled: bool
    per_number: NumberCaps | None = None
    is_held: bool = False
    is_doubted: bool = False

    @property
    def scope(self) -> str:
        """The key of its room and of its pace."""
        return account_scope(self.business_id, self.account)


async def upsert_business(session: AsyncSession, event: BusinessCreated) -> bool:
    """Know a business; whether it was not known."""
    parameters = {
        "business_id": event.business_id,
        "country": event.country,
        "time_zone": event.time_zone,
    }
    return (await session.execute(_BUSINESS, parameters)).first() is not None


async def change_settings(
    session: AsyncSession, event: BusinessSettingsChanged, *, business_id: str
) -> bool:
    """Keep the newest settings of a business; what it was created with has version 0.

    Whether these were newer.
    """
    budget = event.contact_budget
    parameters = {
        "business_id": business_id,
        "country": event.country,
        "time_zone": event.time_zone,
        "holidays": list(event.holidays),
        "budget_most": None if budget is None else budget.most,
        "budget_days": None if budget is None else budget.days,
        "weight": event.weight,
        "version": event.version,
    }
    return (await session.execute(_SETTINGS, parameters)).first() is not None


async def upsert_channel(session: AsyncSession, event: ChannelChanged, *, business_id: str) -> bool:
    """Keep the newest version of a channel; whether this one was newer."""
    caps = event.per_number
    parameters = event.model_dump() | {
        "business_id": business_id,
        "senders": list(event.senders),
        "per_number": None if caps is None else caps.model_dump_json(),
    }
    return (await session.execute(_CHANNEL, parameters)).first() is not None


async def get_channel(
    session: AsyncSession, channel_id: str, *, business_id: str
) -> Channel | None:
    """A channel of this business, or None."""
    parameters = {"channel_id": channel_id, "business_id": business_id}
    rows = await fetch(session, _GET, parameters)
    return channel_of(rows[0]) if rows else None


def channel_of(row: Sequence[Any]) -> Channel:
    """A channel: the columns COLUMNS."""
    channel = Channel(*row)
    caps: object = channel.per_number
    if caps is None:
        return channel
    known = json.loads(caps) if isinstance(caps, str) else caps
    return replace(channel, per_number=NumberCaps.model_validate(known))


async def is_known(session: AsyncSession, channel_id: str, *, business_id: str) -> bool:
    """Whether this business has such a channel, enabled or not."""
    parameters = {"channel_id": channel_id, "business_id": business_id}
    return bool((await session.execute(_KNOWN, parameters)).scalar())


async def hold(session: AsyncSession, refused: Sequence[tuple[str, str]]) -> list[str]:
    """Hold the channels whose configuration was refused to attempts (id, run); those newly held."""
    attempts, run_ids = (list(column) for column in zip(*refused, strict=True))
    parameters = {"attempts": attempts, "runs": run_ids, "seconds": HOLD_SECONDS}
    return list((await session.execute(_HOLD, parameters)).scalars())


async def lock_trial(session: AsyncSession, channel_id: str) -> bool:
    """Whether one request may go now, to see if a held channel is right again; one a hold.

    Nobody else may until the transaction ends. Who sends nothing leaves it to the next.
    """
    return (await session.execute(_LOCK_TRIAL, {"channel_id": channel_id})).first() is not None


async def take_trial(session: AsyncSession, channel_id: str) -> None:
    """Spend the trial that is locked: none goes for as long as a hold."""
    await session.execute(_TRY, {"channel_id": channel_id, "seconds": HOLD_SECONDS})


async def trust(session: AsyncSession, channel_ids: Sequence[str]) -> None:
    """Lift the holds of channels that the provider has just accepted something from."""
    if channel_ids:
        await session.execute(_TRUST, {"channels": list(channel_ids)})
