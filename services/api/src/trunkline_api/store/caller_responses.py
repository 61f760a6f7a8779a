"""What callers pressed, each question's answer once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_api.store.rows import every


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCallerResponse:
    """An answer as it came."""

    business_id: str
    channel_id: str
    provider_call_id: str
    step: int
    turn: int
    digits: str
    meaning: str
    correlation_id: str


@dataclass(frozen=True, slots=True)
class KeptCallerResponse:
    """One answer of one caller: no attempt of ours, and no contact."""

    position: int
    provider_call_id: str
    step: int
    turn: int
    digits: str
    meaning: str
    responded_at: datetime
    attempt_id: None = None
    contact_id: None = None


_COLUMNS: Final = "position, provider_call_id, step, turn, digits, meaning, responded_at"
_ADD: Final = text(
    """
INSERT INTO caller_responses (business_id, channel_id, provider_call_id, step, turn, digits,
                              meaning, correlation_id)
VALUES (:business_id, :channel_id, :provider_call_id, :step, :turn, :digits, :meaning,
        :correlation_id)
ON CONFLICT DO NOTHING RETURNING position
"""
)
_OF_CALL: Final = text(
    f"""
SELECT {_COLUMNS} FROM caller_responses
 WHERE business_id = :business_id AND channel_id = :channel_id
   AND provider_call_id = :provider_call_id ORDER BY position
"""  # noqa: S608
)
_OF_CHANNEL: Final = text(
    f"""
SELECT {_COLUMNS} FROM caller_responses
 WHERE business_id = :business_id AND channel_id = :channel_id AND position < :before
 ORDER BY position DESC LIMIT :limit
"""  # noqa: S608
)


async def add(session: AsyncSession, new: NewCallerResponse) -> bool:
    """Keep an answer; False where it is a repetition."""
    values = {name: getattr(new, name) for name in NewCallerResponse.__slots__}
    return (await session.execute(_ADD, values)).first() is not None


async def of_call(
    session: AsyncSession, business_id: str, channel_id: str, provider_call_id: str
) -> list[KeptCallerResponse]:
    """What was pressed in one call, in order."""
    values = {
        "business_id": business_id,
        "channel_id": channel_id,
        "provider_call_id": provider_call_id,
    }
    return every(await session.execute(_OF_CALL, values), KeptCallerResponse)


async def of_channel(
    session: AsyncSession, business_id: str, channel_id: str, *, before: int, limit: int
) -> list[KeptCallerResponse]:
    """What was pressed in calls to a channel's numbers, newest first."""
    values = {
        "business_id": business_id,
        "channel_id": channel_id,
        "before": before,
        "limit": limit,
    }
    return every(await session.execute(_OF_CHANNEL, values), KeptCallerResponse)
