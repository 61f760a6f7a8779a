"""What providers told us, word for word, once for each natural key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_api.domain.provider_facts import Heard

_KEEP: Final = text(
    """
INSERT INTO provider_events (channel_id, business_id, provider, natural_key, kind, attempt_id,
                             body, problem, correlation_id)
SELECT :channel_id, :business_id, :provider, natural_key, kind, attempt_id, body, problem,
       :correlation_id
  FROM unnest(CAST(:keys AS text[]), CAST(:kinds AS text[]), CAST(:attempts AS text[]),
              CAST(:bodies AS text[]), CAST(:problems AS text[]))
       AS heard (natural_key, kind, attempt_id, body, problem)
 ORDER BY natural_key
ON CONFLICT DO NOTHING
RETURNING natural_key
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


async def keep(
    session: AsyncSession,
    heard: Sequence[Heard],
    *,
    channel_id: str,
    business_id: str,
    provider: str,
    correlation_id: str,
) -> set[str]:
    """Keep what was not heard before; its natural keys."""
    values = {
        "channel_id": channel_id,
        "business_id": business_id,
        "provider": provider,
        "correlation_id": correlation_id,
        "keys": [element.key for element in heard],
        "kinds": [element.kind for element in heard],
        "attempts": [element.attempt_id for element in heard],
        "bodies": [element.body for element in heard],
        "problems": [element.problem for element in heard],
    }
    return set((await session.execute(_KEEP, values)).scalars())


async def prune(session: AsyncSession, *, days: int, batch: int = 5_000) -> int:
    """Delete what is older than this, at most a batch; how many went."""
    result = await session.execute(_PRUNE, {"days": days, "batch": batch})
    return int(result.rowcount)  # type: ignore[attr-defined]  # rowcount exists on DML results
