"""What providers told us, word for word, once for each natural key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_api.domain.provider_facts import Heard

_KEEP: Final = text(
    """
INSERT INTO provider_events (channel_id, business_id, provider, natural_key, kind, attempt_id,
                             body, problem, correlation_id)
SELECT * FROM unnest(
    CAST(:channels AS text[]), CAST(:businesses AS text[]), CAST(:providers AS text[]),
    CAST(:keys AS text[]), CAST(:kinds AS text[]), CAST(:attempts AS text[]),
    CAST(:bodies AS text[]), CAST(:problems AS text[]), CAST(:correlation_ids AS text[]))
       AS heard (channel_id, business_id, provider, natural_key, kind, attempt_id, body, problem,
                 correlation_id)
 ORDER BY channel_id, natural_key
ON CONFLICT DO NOTHING
RETURNING channel_id, natural_key
"""
)
_PRUNE: Final = text(
    """
DELETE FROM provider_events WHERE (channel_id, natural_key) IN (
    SELECT channel_id, natural_key FROM provider_events
     WHERE received_at < clock_timestamp() - make_interval(days => :days)
     LIMIT :batch)
"""
)


@dataclass(frozen=True, slots=True)
class KeptEvent:
    """One element of a callback, whose it is and what it is to be found by."""

    channel_id: str
    business_id: str
    provider: str
    correlation_id: str
    heard: Heard


async def keep(session: AsyncSession, events: Sequence[KeptEvent]) -> list[tuple[str, str]]:
    """Keep what was not heard before; its channels and natural keys, in no order of arrival."""
    values = {
        "channels": [event.channel_id for event in events],
        "businesses": [event.business_id for event in events],
        "providers": [event.provider for event in events],
        "correlation_ids": [event.correlation_id for event in events],
        "keys": [event.heard.key for event in events],
        "kinds": [event.heard.kind for event in events],
        "attempts": [event.heard.attempt_id for event in events],
        "bodies": [event.heard.body for event in events],
        "problems": [event.heard.problem for event in events],
    }
    return [(row.channel_id, row.natural_key) for row in await session.execute(_KEEP, values)]


async def prune(session: AsyncSession, *, days: int, batch: int = 5_000) -> int:
    """Delete what is older than this, at most a batch; how many went."""
    result = await session.execute(_PRUNE, {"days": days, "batch": batch})
    return int(result.rowcount)  # type: ignore[attr-defined]  # rowcount exists on DML results
