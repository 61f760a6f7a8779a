"""Voice accounts of businesses as api told us; credentials stay sealed in the row."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_common.contracts.api import ChannelChanged

# Only the whole state of an aggregate may be dropped by its version. A change lifts the hold: it
# may be the very repair that the hold was waiting for. A disabled channel's calls were recorded
# all the same, so it is still fetched from.
_UPSERT = text(
    """
INSERT INTO channels (channel_id, business_id, version, account, key_id, sealed)
VALUES (:channel_id, :business_id, :version, :account, :key_id, :sealed)
ON CONFLICT (channel_id) DO UPDATE
   SET version = excluded.version, account = excluded.account, key_id = excluded.key_id,
       sealed = excluded.sealed, held_until = '-infinity', holds = 0
 WHERE channels.version < excluded.version AND channels.business_id = excluded.business_id
RETURNING channel_id
"""
)
_HOLD = text(
    """
UPDATE channels SET holds = holds + 1, held_until = clock_timestamp()
       + make_interval(secs => least(15 * 2.0 ^ least(holds, 10), 900))
  FROM unnest(CAST(:channels AS text[]), CAST(:versions AS bigint[])) AS bad (channel_id, version)
 WHERE channels.channel_id = bad.channel_id AND channels.version = bad.version
   AND held_until <= clock_timestamp()
RETURNING channels.channel_id
"""
)
_TRUST = text(
    "UPDATE channels SET holds = 0 WHERE channel_id = ANY (CAST(:channels AS text[])) AND holds > 0"
)


async def upsert_channel(session: AsyncSession, event: ChannelChanged, *, business_id: str) -> bool:
    """Keep the newest version of a channel; whether this one was newer."""
    parameters = event.model_dump() | {"business_id": business_id}
    return (await session.execute(_UPSERT, parameters)).first() is not None


async def hold(session: AsyncSession, versions: dict[str, int]) -> list[str]:
    """Hold channels whose credentials were refused, longer each time; those newly held.

    A version that was replaced meanwhile is not held: the change may be the repair.
    """
    parameters = {"channels": sorted(versions), "versions": [versions[c] for c in sorted(versions)]}
    return list((await session.execute(_HOLD, parameters)).scalars())


async def trust(session: AsyncSession, channel_ids: list[str]) -> None:
    """Forget earlier holds of channels whose credentials have just been taken."""
    await session.execute(_TRUST, {"channels": sorted(channel_ids)})
