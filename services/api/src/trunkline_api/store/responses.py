"""What people pressed in calls, each question's answer once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_api.store.rows import every


@dataclass(frozen=True, slots=True)
class KeptResponse:
    """One answer of one person."""

    position: int
    run_id: str
    attempt_id: str
    contact_id: str | None
    step: int
    turn: int
    digits: str
    meaning: str
    responded_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NewResponse:
    """An answer as it came."""

    business_id: str
    run_id: str
    attempt_id: str
    contact_id: str | None
    provider_call_id: str
    step: int
    turn: int
    digits: str
    meaning: str
    correlation_id: str


_COLUMNS: Final = (
    "position, run_id, attempt_id, contact_id, step, turn, digits, meaning, responded_at"
)
_ADD: Final = text(
    """
INSERT INTO call_responses (business_id, run_id, attempt_id, contact_id, provider_call_id, step,
                            turn, digits, meaning, correlation_id)
VALUES (:business_id, :run_id, :attempt_id, :contact_id, :provider_call_id, :step, :turn, :digits,
        :meaning, :correlation_id)
ON CONFLICT DO NOTHING
"""
)
_OF_ATTEMPT: Final = text(
    f"""
SELECT {_COLUMNS} FROM call_responses
 WHERE business_id = :business_id AND attempt_id = :attempt_id ORDER BY position
"""  # noqa: S608
)
_OF_RUN: Final = text(
    f"""
SELECT {_COLUMNS} FROM call_responses
 WHERE business_id = :business_id AND run_id = :run_id AND position < :before
 ORDER BY position DESC LIMIT :limit
"""  # noqa: S608
)
_COUNTS: Final = text(
    """
SELECT meaning, count(DISTINCT attempt_id) AS calls FROM call_responses
 WHERE business_id = :business_id AND run_id = :run_id GROUP BY meaning
"""
)


async def add(session: AsyncSession, new: NewResponse) -> None:
    """Keep an answer; a repetition changes nothing."""
    await session.execute(_ADD, {name: getattr(new, name) for name in NewResponse.__slots__})


async def of_attempt(
    session: AsyncSession, business_id: str, attempt_id: str
) -> list[KeptResponse]:
    """What was pressed in one call, in order."""
    values = {"business_id": business_id, "attempt_id": attempt_id}
    return every(await session.execute(_OF_ATTEMPT, values), KeptResponse)


async def of_run(
    session: AsyncSession, business_id: str, run_id: str, *, before: int, limit: int
) -> list[KeptResponse]:
    """What was pressed in a run's calls, newest first."""
    values = {"business_id": business_id, "run_id": run_id, "before": before, "limit": limit}
    return every(await session.execute(_OF_RUN, values), KeptResponse)


async def counts(session: AsyncSession, business_id: str, run_id: str) -> dict[str, int]:
    """In how many of a run's calls each meaning occurred."""
    values = {"business_id": business_id, "run_id": run_id}
    return {row.meaning: row.calls for row in await session.execute(_COUNTS, values)}
