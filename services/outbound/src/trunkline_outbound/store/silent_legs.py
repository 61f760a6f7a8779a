"""Legs whose callbacks stay away: when to ask about them, and which of them nobody will explain."""

from __future__ import annotations

from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_outbound.store.doubts import LiveCall
from trunkline_outbound.store.legs import LEG, Leg

_SILENT: Final = text(
    """
WITH due AS (
    SELECT call_id FROM legs
     WHERE ended_at IS NULL AND unknown_at IS NULL AND polls < :most
       AND (poll_at <= clock_timestamp()
            OR (polls = 0 AND began_at <= clock_timestamp() - make_interval(secs => :first)))
     ORDER BY poll_at LIMIT :batch FOR NO KEY UPDATE SKIP LOCKED)
UPDATE legs SET polls = polls + 1,
       poll_at = clock_timestamp()
           + make_interval(secs => least(:first * power(2, least(polls, 20)), :longest))
  FROM due WHERE legs.call_id = due.call_id
RETURNING legs.call_id, business_id, channel_id, account, provider_id
"""
)
_CLOSE: Final = text(
    f"""
WITH due AS (
    SELECT call_id FROM legs
     WHERE ended_at IS NULL AND unknown_at IS NULL AND polls >= :most
       AND poll_at <= clock_timestamp()
     ORDER BY poll_at LIMIT :batch FOR NO KEY UPDATE SKIP LOCKED)
UPDATE legs SET unknown_at = clock_timestamp(), version = version + 1
  FROM due WHERE legs.call_id = due.call_id
RETURNING {LEG}
"""  # noqa: S608
)


async def pick_silent(
    session: AsyncSession, *, first: float, longest: float, most: int, batch: int
) -> list[LiveCall]:
    """Legs in the air without news for so long that their provider is asked, `most` times each."""
    parameters = {"first": first, "longest": longest, "most": most, "batch": batch}
    return [LiveCall(*row) for row in await session.execute(_SILENT, parameters)]


async def close(session: AsyncSession, *, most: int, batch: int) -> list[Leg]:
    """Give up legs that were asked about `most` times, the last answer having had its time."""
    return [Leg(*row) for row in await session.execute(_CLOSE, {"most": most, "batch": batch})]
