"""Legs: calls that no attempt asked for, each folded from everything that was said of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_common.db.transaction import wake_after_commit
from trunkline_outbound.domain.calls import CallEvent, CallState

FOLD_LEGS: Final = "outbound.fold.legs"  # rung after every commit that kept an event of a leg

_KEEP: Final = text(
    """
INSERT INTO leg_events (business_id, account, provider_id, status, number, channel_id, direction,
                        parent_id, from_number, to_number, duration, answered_by, code,
                        correlation_id, event_id)
VALUES (:business_id, :account, :provider_id, :status, :number, :channel_id, :direction,
        :parent_id, :from_number, :to_number, :duration, :answered_by, :code,
        :correlation_id, :event_id)
ON CONFLICT DO NOTHING
"""
)
_UNFOLDED: Final = text(
    """
SELECT business_id, account, provider_id, event_id FROM leg_events
 WHERE folded_at IS NULL ORDER BY arrived_at LIMIT :batch FOR NO KEY UPDATE SKIP LOCKED
"""
)
# Whose it is and where it belongs is said alike by all of its events.
_OPEN: Final = text(
    """
INSERT INTO legs (call_id, business_id, account, provider_id, channel_id, direction, parent_id,
                  from_number, to_number, correlation_id)
SELECT DISTINCT ON (said.business_id, said.account, said.provider_id)
       new.call_id, said.business_id, said.account, said.provider_id, channel_id, direction,
       parent_id, from_number, to_number, correlation_id
  FROM unnest(CAST(:businesses AS text[]), CAST(:accounts AS text[]), CAST(:provider_ids AS text[]),
              CAST(:calls AS text[])) AS new (business_id, account, provider_id, call_id)
  JOIN leg_events AS said USING (business_id, account, provider_id)
 ORDER BY said.business_id, said.account, said.provider_id, arrived_at
ON CONFLICT (business_id, account, provider_id) DO NOTHING
"""
)
_COLUMNS: Final = (
    "call_id, business_id, account, provider_id, channel_id, direction, parent_id, from_number,"
    " to_number, status, answered, duration, answered_by, code, price, price_unit, version,"
    " correlation_id, began_at, answered_at, ended_at, unknown_at"
)
LEG: Final = ", ".join(f"legs.{name}" for name in _COLUMNS.split(", "))
_LOCK: Final = text(
    f"""
SELECT {LEG} FROM legs
  JOIN unnest(CAST(:businesses AS text[]), CAST(:accounts AS text[]),
              CAST(:provider_ids AS text[])) AS wanted (business_id, account, provider_id)
 USING (business_id, account, provider_id)
 ORDER BY legs.business_id, legs.account, legs.provider_id FOR NO KEY UPDATE OF legs
"""  # noqa: S608
)
_GET: Final = text(f"SELECT {LEG} FROM legs WHERE call_id = :call_id")  # noqa: S608
_SETS: Final = text(
    """
SELECT legs.call_id, said.provider_id, said.status, said.number, said.duration, said.answered_by,
       said.code
  FROM legs JOIN leg_events AS said USING (business_id, account, provider_id)
 WHERE legs.call_id = ANY (CAST(:calls AS text[]))
"""
)
_FOLD: Final = text(
    f"""
UPDATE legs SET status = fold.status, rank = fold.rank, answered = fold.answered,
       duration = fold.duration, answered_by = fold.answered_by, code = fold.code,
       version = version + 1,
       answered_at = CASE WHEN fold.answered THEN coalesce(answered_at, clock_timestamp()) END,
       ended_at = CASE WHEN fold.final THEN coalesce(ended_at, clock_timestamp()) END,
       price_at = CASE WHEN fold.final AND ended_at IS NULL
                       THEN clock_timestamp() + make_interval(secs => :price_after)
                       ELSE price_at END
  FROM unnest(CAST(:calls AS text[]), CAST(:statuses AS text[]), CAST(:ranks AS integer[]),
              CAST(:answereds AS boolean[]), CAST(:durations AS integer[]),
              CAST(:answered_bys AS text[]), CAST(:codes AS text[]), CAST(:finals AS boolean[]))
       AS fold (id, status, rank, answered, duration, answered_by, code, final)
 WHERE legs.call_id = fold.id
RETURNING {LEG}
"""  # noqa: S608
)
_FOLDED: Final = text(
    """
UPDATE leg_events SET folded_at = clock_timestamp()
  FROM unnest(CAST(:businesses AS text[]), CAST(:accounts AS text[]), CAST(:provider_ids AS text[]),
              CAST(:event_ids AS text[])) AS done (business_id, account, provider_id, event_id)
 WHERE leg_events.business_id = done.business_id AND leg_events.account = done.account
   AND leg_events.provider_id = done.provider_id AND leg_events.event_id = done.event_id
"""
)
# The call that opened a leg: one of a run, or another leg.
_PARENTS: Final = text(
    """
SELECT leg.call_id, coalesce(calls.call_id, opener.call_id) AS parent
  FROM legs AS leg
  LEFT JOIN provider_calls AS known ON known.account = leg.account
        AND known.provider_id = leg.parent_id AND known.business_id = leg.business_id
  LEFT JOIN calls ON calls.attempt_id = known.attempt_id
  LEFT JOIN legs AS opener ON opener.business_id = leg.business_id
        AND opener.account = leg.account AND opener.provider_id = leg.parent_id
 WHERE leg.call_id = ANY (CAST(:calls AS text[])) AND leg.parent_id IS NOT NULL
"""
)


@dataclass(frozen=True, slots=True)
class SaidOfLeg:
    """One thing the provider said of a leg, and what it said the leg is."""

    business_id: str
    account: str
    provider_id: str
    status: str
    number: int
    channel_id: str
    direction: str
    correlation_id: str
    event_id: str
    parent_id: str | None = None
    from_number: str | None = None
    to_number: str | None = None
    duration: int | None = None
    answered_by: str | None = None
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Unfolded:
    """An event that nobody has folded yet."""

    business_id: str
    account: str
    provider_id: str
    event_id: str


@dataclass(frozen=True, slots=True)
class Leg:
    """A leg as far as it is known."""

    call_id: str
    business_id: str
    account: str
    provider_id: str
    channel_id: str
    direction: str
    parent_id: str | None
    from_number: str | None
    to_number: str | None
    status: str
    answered: bool
    duration: int | None
    answered_by: str | None
    code: str | None
    price: str | None
    price_unit: str | None
    version: int
    correlation_id: str
    began_at: datetime
    answered_at: datetime | None
    ended_at: datetime | None
    unknown_at: datetime | None

    @property
    def state(self) -> CallState:
        """What its events were folded to so far."""
        return CallState(
            self.call_id, self.status, self.answered, self.duration, self.answered_by, self.code
        )


async def keep(session: AsyncSession, said: SaidOfLeg) -> None:
    """Keep what a provider said of a leg; a repetition changes nothing."""
    await session.execute(_KEEP, {name: getattr(said, name) for name in SaidOfLeg.__slots__})
    wake_after_commit(session, FOLD_LEGS)


async def lock_unfolded(session: AsyncSession, batch: int) -> list[Unfolded]:
    """Take events that nobody has folded yet."""
    return [Unfolded(*row) for row in await session.execute(_UNFOLDED, {"batch": batch})]


async def open_and_lock(
    session: AsyncSession, keys: Sequence[tuple[str, str, str]], call_ids: Sequence[str]
) -> list[Leg]:
    """The legs (business, account, provider id), made where they are new, locked in order."""
    businesses, accounts, provider_ids = (list(column) for column in zip(*keys, strict=True))
    parameters = {"businesses": businesses, "accounts": accounts, "provider_ids": provider_ids}
    await session.execute(_OPEN, {**parameters, "calls": list(call_ids)})
    return [Leg(*row) for row in await session.execute(_LOCK, parameters)]


async def sets(session: AsyncSession, call_ids: Sequence[str]) -> dict[str, list[CallEvent]]:
    """Everything that was ever said of these legs."""
    found: dict[str, list[CallEvent]] = {}
    for row in await session.execute(_SETS, {"calls": list(call_ids)}):
        found.setdefault(row.call_id, []).append(CallEvent(*row))
    return found


async def fold(
    session: AsyncSession, states: Sequence[CallState], *, price_after: float
) -> list[Leg]:
    """Write folded states of locked legs; the legs as they are now."""
    parameters = {
        "calls": [s.attempt_id for s in states],
        "statuses": [s.status for s in states],
        "ranks": [s.rank for s in states],
        "answereds": [s.answered for s in states],
        "durations": [s.duration for s in states],
        "answered_bys": [s.answered_by for s in states],
        "codes": [s.code for s in states],
        "finals": [s.is_final for s in states],
        "price_after": price_after,
    }
    return [Leg(*row) for row in await session.execute(_FOLD, parameters)]


async def get(session: AsyncSession, call_id: str) -> Leg | None:
    """One leg, read without a lock."""
    row = (await session.execute(_GET, {"call_id": call_id})).first()
    return None if row is None else Leg(*row)


async def mark_folded(session: AsyncSession, done: Sequence[Unfolded]) -> None:
    """Note events as folded."""
    parameters = {
        "businesses": [e.business_id for e in done],
        "accounts": [e.account for e in done],
        "provider_ids": [e.provider_id for e in done],
        "event_ids": [e.event_id for e in done],
    }
    await session.execute(_FOLDED, parameters)


async def parents(session: AsyncSession, call_ids: Sequence[str]) -> dict[str, str | None]:
    """The calls that opened these legs, where they are known."""
    rows = await session.execute(_PARENTS, {"calls": list(call_ids)})
    return {row.call_id: row.parent for row in rows}
