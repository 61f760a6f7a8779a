"""Forecasts under way: how far each run has been counted, and what is known of calls of late."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_common.db.transaction import wake_after_commit

WANTED = "outbound.forecasts"  # rung when a run is to be counted

# Whoever asks while a run is being counted has it counted anew: the answer is for both.
_WANT = text(
    """
INSERT INTO forecasts (run_id, business_id, asked) VALUES (:run_id, :business_id, :asked)
ON CONFLICT (run_id) DO UPDATE
   SET asked = greatest(forecasts.asked, excluded.asked), after_seq = 0, tally = '{}',
       counted_at = clock_timestamp(), told_at = NULL
"""
)
# Who was counted longest ago is next, so that a large run does not hold up a small one.
_NEXT = text(
    """
SELECT run_id, business_id, asked, after_seq, tally FROM forecasts
 WHERE told_at IS NULL ORDER BY counted_at LIMIT 1 FOR UPDATE SKIP LOCKED
"""
)
_SAVE = text(
    """
UPDATE forecasts SET after_seq = :after_seq, tally = CAST(:tally AS jsonb),
       counted_at = clock_timestamp()
 WHERE run_id = :run_id
"""
)
_TOLD = text("UPDATE forecasts SET told_at = clock_timestamp() WHERE run_id = :run_id")
_PEOPLE = text(
    """
SELECT seq, contact_id, address, zone, state IN ('queued', 'waiting') AS is_untried FROM jobs
 WHERE run_id = :run_id AND business_id = :business_id AND seq > :after
 ORDER BY seq LIMIT :limit
"""
)
_MOMENT = text(
    """
SELECT clock_timestamp() AS now,
       (SELECT start_at FROM runs WHERE run_id = :run_id AND state IN ('draft', 'ready'))
       AS start_at
"""
)
_BUSINESS = text("SELECT time_zone, holidays FROM businesses WHERE business_id = :business_id")
_BUSINESS_CAP = text("SELECT cap FROM limits WHERE kind = 'business' AND id = :business_id")
# A run that has called says it best; before that, the channel's last one that has.
_MEAN = text(
    """
SELECT avg(extract(epoch FROM calls.ended_at - calls.dialled_at))
  FROM (SELECT attempt_id FROM attempts WHERE run_id = coalesce(
            (SELECT run_id FROM runs WHERE run_id = :run_id AND business_id = :business_id
                AND EXISTS (SELECT FROM attempts WHERE attempts.run_id = runs.run_id)),
            (SELECT run_id FROM runs WHERE business_id = :business_id
                AND channel_id = :channel_id AND started_at IS NOT NULL
              ORDER BY started_at DESC LIMIT 1))
         ORDER BY seq DESC LIMIT :sample) AS late
  JOIN calls USING (attempt_id)
 WHERE calls.ended_at IS NOT NULL AND calls.business_id = :business_id
"""
)
SAMPLE = 500  # calls that say how long one takes


@dataclass(frozen=True, slots=True)
class Wanted:
    """A forecast under way, held by this transaction alone."""

    run_id: str
    business_id: str
    asked: int
    after_seq: int
    tally: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A contact as a forecast looks at it."""

    seq: int
    contact_id: str
    address: str
    zone: str | None
    is_untried: bool = True


async def want(session: AsyncSession, run_id: str, *, business_id: str, asked: int = 0) -> None:
    """Let a run be counted from its beginning."""
    parameters = {"run_id": run_id, "business_id": business_id, "asked": asked}
    await session.execute(_WANT, parameters)
    wake_after_commit(session, WANTED)


async def take_next(session: AsyncSession) -> Wanted | None:
    """The forecast whose turn it is."""
    row = (await session.execute(_NEXT)).mappings().first()
    if row is None:
        return None
    fields: dict[str, Any] = dict(row)
    if isinstance(fields["tally"], str):
        fields["tally"] = json.loads(fields["tally"])
    return Wanted(**fields)


async def save(session: AsyncSession, run_id: str, *, after_seq: int, tally: object) -> None:
    """Keep what was counted up to this job."""
    parameters = {"run_id": run_id, "after_seq": after_seq, "tally": json.dumps(tally)}
    await session.execute(_SAVE, parameters)


async def told(session: AsyncSession, run_id: str) -> None:
    """It has been said."""
    await session.execute(_TOLD, {"run_id": run_id})


async def people(session: AsyncSession, wanted: Wanted, *, limit: int) -> list[Candidate]:
    """The run's contacts behind those counted."""
    parameters = {
        "run_id": wanted.run_id,
        "business_id": wanted.business_id,
        "after": wanted.after_seq,
        "limit": limit,
    }
    return [Candidate(*row) for row in await session.execute(_PEOPLE, parameters)]


async def moment(session: AsyncSession, run_id: str) -> tuple[Any, Any]:
    """The database's clock, and the start of a run that has not started."""
    row = (await session.execute(_MOMENT, {"run_id": run_id})).one()
    return row.now, row.start_at


async def business(session: AsyncSession, business_id: str) -> tuple[str | None, frozenset[Any]]:
    """A business's zone and days off, as far as they are known."""
    row = (await session.execute(_BUSINESS, {"business_id": business_id})).first()
    return (None, frozenset()) if row is None else (row.time_zone, frozenset(row.holidays or ()))


async def business_cap(session: AsyncSession, business_id: str) -> int | None:
    """How many calls the business may have in the air; None where nothing is known of it."""
    cap: int | None = (await session.execute(_BUSINESS_CAP, {"business_id": business_id})).scalar()
    return cap


async def mean_call_seconds(
    session: AsyncSession, run_id: str, channel_id: str, *, business_id: str
) -> float | None:
    """How long a call holds its place in the air, of late; None where nothing is known."""
    parameters = {
        "run_id": run_id,
        "channel_id": channel_id,
        "business_id": business_id,
        "sample": SAMPLE,
    }
    mean = (await session.execute(_MEAN, parameters)).scalar()
    return None if mean is None else round(float(mean), 3)
