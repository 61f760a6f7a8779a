"""Forecasts that were asked for: how far a draft's audience has been counted, and the answers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_api.store.rows import every, first, only
from trunkline_api.store.runs import CHANGED
from trunkline_common.contracts.runs import Forecast
from trunkline_common.db.transaction import wake_after_commit

FORETOLD: Final = "api.forecasts"  # rung when a forecast has been asked for or answered


@dataclass(frozen=True, slots=True)
class Asked:
    """The last forecast that was asked of a run; of a draft also how far it has been counted."""

    run_id: str
    business_id: str
    asked: int
    answered: int
    asked_at: datetime
    after_position: int
    after_contact: str
    tally: dict[str, Any]

    @property
    def is_open(self) -> bool:
        """Whether the answer is still to come."""
        return self.answered < self.asked


@dataclass(frozen=True, slots=True)
class Listed:
    """One contact of a draft and its place in the audience."""

    position: int
    contact_id: str
    address: str
    zone: str | None


_COLUMNS: Final = (
    "run_id, business_id, asked, answered, asked_at, after_position, after_contact, tally"
)
_ASK: Final = text(
    f"""
INSERT INTO run_forecasts (run_id, business_id) VALUES (:run_id, :business_id)
ON CONFLICT (run_id) DO UPDATE
   SET asked = run_forecasts.asked + 1, asked_at = clock_timestamp(), after_position = 0,
       after_contact = '', tally = '{{}}', counted_at = clock_timestamp()
 WHERE run_forecasts.business_id = excluded.business_id
RETURNING {_COLUMNS}
"""  # noqa: S608
)
_GET: Final = text(
    f"""
SELECT {_COLUMNS} FROM run_forecasts WHERE business_id = :business_id AND run_id = :run_id
"""  # noqa: S608
)
# A draft whose request is still counting it was counted a moment ago: the loop looks at the others.
# Whoever is looked at goes to the end first, so that one who cannot be counted is not in the way.
_NEXT: Final = text(
    f"""
UPDATE run_forecasts SET counted_at = clock_timestamp()
 WHERE run_id = (
    SELECT run_id FROM run_forecasts
     WHERE answered < asked AND counted_at < clock_timestamp() - make_interval(secs => :idle)
       AND EXISTS (SELECT FROM runs WHERE runs.id = run_id AND runs.state = 'draft')
     ORDER BY counted_at LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING {_COLUMNS}
"""  # noqa: S608
)
_ON_LIST: Final = text(
    """
SELECT position, contact_id, address, time_zone AS zone
  FROM audience_members JOIN contacts ON contacts.id = contact_id
 WHERE list_id = :list_id AND audience_members.business_id = :business_id
   AND contacts.business_id = :business_id AND position > :after_position
 ORDER BY position LIMIT :limit
"""
)
_OF_BUSINESS: Final = text(
    """
SELECT 0 AS position, id AS contact_id, address, time_zone AS zone FROM contacts
 WHERE business_id = :business_id AND id > :after_contact ORDER BY id LIMIT :limit
"""
)
# INVARIANT: the tally and the mark behind it change together, so nobody is counted twice. An answer
# for a mark that has moved on is dropped: the count would go back.
_ADVANCE: Final = text(
    """
UPDATE run_forecasts SET after_position = :position, after_contact = :contact,
       tally = CAST(:tally AS jsonb), counted_at = clock_timestamp()
 WHERE run_id = :run_id AND asked = :asked AND answered < asked
   AND after_position = :before_position AND after_contact = :before_contact
RETURNING run_id
"""
)
_ANSWERED: Final = text(
    """
UPDATE run_forecasts SET answered = greatest(answered, :asked)
 WHERE business_id = :business_id AND run_id = :run_id
"""
)
_GIVE_UP: Final = text(
    """
UPDATE run_forecasts SET answered = asked
 WHERE business_id = :business_id AND run_id = :run_id AND answered < asked
"""
)
# Of two forecasts the one that was made later shows, whichever comes first.
_SHOW: Final = text(
    """
UPDATE runs
   SET forecast = CASE WHEN is_newer THEN CAST(:forecast AS jsonb) ELSE forecast END,
       forecast_at = CASE WHEN is_newer THEN :at ELSE forecast_at END
  FROM (SELECT coalesce(forecast_at <= :at, true) AS is_newer FROM runs
         WHERE business_id = :business_id AND id = :run_id FOR NO KEY UPDATE) AS kept
 WHERE business_id = :business_id AND id = :run_id
RETURNING id
"""
)


async def ask(session: AsyncSession, business_id: str, run_id: str) -> Asked:
    """Ask for a forecast, from the beginning; whoever asked before is answered with this one."""
    values = {"business_id": business_id, "run_id": run_id}
    wake_after_commit(session, FORETOLD)
    return only(await session.execute(_ASK, values), Asked)


async def get(session: AsyncSession, business_id: str, run_id: str) -> Asked | None:
    """What was asked last."""
    values = {"business_id": business_id, "run_id": run_id}
    return first(await session.execute(_GET, values), Asked)


async def next_draft(session: AsyncSession, *, idle: float) -> Asked | None:
    """A draft that nobody has gone on with for so many seconds."""
    return first(await session.execute(_NEXT, {"idle": idle}), Asked)


async def listed(
    session: AsyncSession, asked: Asked, list_id: str | None, *, limit: int
) -> list[Listed]:
    """Who of a draft's audience comes behind those counted; without a list it is everybody."""
    values: dict[str, object] = {"business_id": asked.business_id, "limit": limit}
    if list_id is None:
        rows = await session.execute(_OF_BUSINESS, values | {"after_contact": asked.after_contact})
    else:
        values |= {"list_id": list_id, "after_position": asked.after_position}
        rows = await session.execute(_ON_LIST, values)
    return every(rows, Listed)


async def advance(session: AsyncSession, asked: Asked, last: Listed, tally: dict[str, Any]) -> bool:
    """Keep what was counted up to this contact; False where somebody else has."""
    values = {
        "run_id": asked.run_id,
        "asked": asked.asked,
        "position": last.position,
        "contact": last.contact_id,
        "before_position": asked.after_position,
        "before_contact": asked.after_contact,
        "tally": json.dumps(tally),
    }
    return (await session.execute(_ADVANCE, values)).first() is not None


async def answer(
    session: AsyncSession,
    business_id: str,
    run_id: str,
    *,
    asked: int,
    forecast: Forecast,
    at: datetime,
) -> bool:
    """Show a forecast with its run; False where the business has no such run."""
    values = {"business_id": business_id, "run_id": run_id}
    shown = {"forecast": forecast.model_dump_json(), "at": at}
    await session.execute(_ANSWERED, values | {"asked": asked})
    wake_after_commit(session, FORETOLD)
    wake_after_commit(session, CHANGED)
    return (await session.execute(_SHOW, values | shown)).first() is not None


async def give_up(session: AsyncSession, business_id: str, run_id: str) -> None:
    """Count a draft no further: it is started, and is foreseen when its audience is frozen."""
    await session.execute(_GIVE_UP, {"business_id": business_id, "run_id": run_id})


async def clock(session: AsyncSession) -> datetime:
    """The database's clock."""
    now: datetime = (await session.execute(text("SELECT clock_timestamp()"))).scalar_one()
    return now
