"""WhatsApp numbers of businesses as api told us; credentials stay sealed in the row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_common.contracts.api import ChannelChanged
from trunkline_common.ids import account_scope

# Only the whole state of an aggregate may be dropped by its version. A change lifts the hold: it
# may be the very repair that the hold was waiting for.
_UPSERT = text(
    """
INSERT INTO channels (channel_id, business_id, version, account, key_id, sealed, per_second,
                      enabled)
VALUES (:channel_id, :business_id, :version, :account, :key_id, :sealed, :per_second, :enabled)
ON CONFLICT (channel_id) DO UPDATE
   SET version = excluded.version, account = excluded.account, key_id = excluded.key_id,
       sealed = excluded.sealed, per_second = excluded.per_second, enabled = excluded.enabled,
       held_until = '-infinity', holds = 0
 WHERE channels.version < excluded.version AND channels.business_id = excluded.business_id
RETURNING channel_id
"""
)
# Two probes of the index for each channel, however many messages wait.
_DUE = text(
    """
SELECT channel_id, business_id, version, account, key_id, sealed, urgent FROM (
    SELECT channels.*,
           EXISTS (SELECT 1 FROM messages
                    WHERE messages.channel_id = channels.channel_id AND lane = 0
                      AND state IN ('queued', 'waiting') AND due_at <= now) AS urgent,
           EXISTS (SELECT 1 FROM messages
                    WHERE messages.channel_id = channels.channel_id AND lane = 1
                      AND state IN ('queued', 'waiting') AND due_at <= now) AS bulk
      FROM channels, clock_timestamp() AS now
     WHERE enabled AND held_until <= now
) AS looked
 WHERE urgent OR bulk
 ORDER BY channel_id
"""
)
_HOLD = text(
    """
UPDATE channels SET holds = holds + 1, held_until = clock_timestamp()
       + make_interval(secs => least(15 * 2.0 ^ least(holds, 10), 900))
  FROM unnest(CAST(:channels AS text[]), CAST(:versions AS bigint[])) AS bad (channel_id, version)
 WHERE channels.channel_id = bad.channel_id AND channels.version = bad.version
   AND held_until <= clock_timestamp()
RETURNING channels.channel_id, holds
"""
)
_TRUST = text(
    "UPDATE channels SET holds = 0 WHERE channel_id = ANY (CAST(:channels AS text[])) AND holds > 0"
)


@dataclass(frozen=True, slots=True)
class Channel:
    """A business's number with messages that are due; `urgent` if one is of the high lane."""

    channel_id: str
    business_id: str
    version: int
    account: str
    key_id: str
    sealed: str = field(repr=False)
    urgent: bool = False

    @property
    def scope(self) -> str:
        """The key of its pace."""
        return account_scope(self.business_id, self.account)


async def upsert_channel(session: AsyncSession, event: ChannelChanged, *, business_id: str) -> bool:
    """Keep the newest version of a channel; whether this one was newer."""
    parameters = event.model_dump() | {"business_id": business_id}
    return (await session.execute(_UPSERT, parameters)).first() is not None


async def due_channels(session: AsyncSession) -> list[Channel]:
    """Channels that may send and have something due."""
    return [Channel(*row) for row in await session.execute(_DUE)]


async def hold(session: AsyncSession, versions: dict[str, int]) -> list[str]:
    """Hold channels whose configuration was refused, longer each time; those newly held.

    A version that was replaced meanwhile is not held: the change may be the repair.
    """
    parameters = {"channels": sorted(versions), "versions": [versions[c] for c in sorted(versions)]}
    return [row.channel_id for row in await session.execute(_HOLD, parameters)]


async def trust(session: AsyncSession, channel_ids: Sequence[str]) -> None:
    """Forget earlier holds of channels that the provider has just accepted something from."""
    await session.execute(_TRUST, {"channels": sorted(channel_ids)})
