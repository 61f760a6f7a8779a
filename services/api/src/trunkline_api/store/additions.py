"""Contacts on their way to a run that goes on: one row an addition, moved with each piece."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_api.store.feeds import Member
from trunkline_api.store.rows import every, first


@dataclass(frozen=True, slots=True)
class AdditionFeed:
    """One addition whose contacts have not left whole."""

    control_id: str
    run_id: str
    business_id: str
    list_id: str
    after_position: int
    pieces: int
    correlation_id: str
    traceparent: str | None


_ADD: Final = text(
    """
INSERT INTO addition_feeds (control_id, run_id, business_id, list_id, correlation_id, traceparent)
VALUES (:control_id, :run_id, :business_id, :list_id, :correlation_id, :traceparent)
"""
)
# Who was fed longest ago is next, so that a large addition does not hold up a small one.
_NEXT: Final = text(
    """
SELECT control_id, run_id, business_id, list_id, after_position, pieces, correlation_id,
       traceparent
  FROM addition_feeds WHERE closed_at IS NULL
 ORDER BY fed_at LIMIT 1 FOR UPDATE SKIP LOCKED
"""
)
_MEMBERS: Final = text(
    """
SELECT position, contacts.id AS contact_id, address, name, first_name, last_name, time_zone,
       variables
  FROM audience_members JOIN contacts ON contacts.id = contact_id
 WHERE list_id = :list_id AND audience_members.business_id = :business_id
   AND contacts.business_id = :business_id AND position > :after
 ORDER BY position LIMIT :limit
"""
)
_ADVANCE: Final = text(
    """
UPDATE addition_feeds SET after_position = :position, pieces = pieces + 1,
       fed_at = clock_timestamp()
 WHERE control_id = :control_id
"""
)
_CLOSE: Final = text(
    "UPDATE addition_feeds SET closed_at = clock_timestamp() WHERE control_id = :control_id"
)
# A draft may be for an import, which is not its own to change: from now on it has a list.
_OWN_LIST: Final = text(
    """
INSERT INTO audience_members (list_id, position, business_id, contact_id)
SELECT CAST(:run_id AS text), position, business_id, contact_id FROM audience_members
 WHERE list_id = :list_id AND business_id = :business_id AND list_id <> CAST(:run_id AS text)
ON CONFLICT DO NOTHING
"""
)
_JOIN: Final = text(
    """
WITH last AS (
    SELECT coalesce(max(position), 0) AS position FROM audience_members
     WHERE list_id = :run_id AND business_id = :business_id
), added AS (
    INSERT INTO audience_members (list_id, position, business_id, contact_id)
    SELECT CAST(:run_id AS text), last.position + row_number() OVER (ORDER BY new.position),
           :business_id, new.contact_id
      FROM last, audience_members AS new
     WHERE new.list_id = :from_list AND new.business_id = :business_id
       AND NOT EXISTS (SELECT FROM audience_members AS own
                        WHERE own.list_id = :run_id AND own.contact_id = new.contact_id)
    RETURNING 1
)
SELECT (SELECT count(*) FROM added) AS added,
       (SELECT count(*) FROM audience_members
         WHERE list_id = :from_list AND business_id = :business_id) AS asked
"""
)
_BELONGS: Final = text(
    """
UPDATE runs SET audience = 'contacts', list_id = :run_id
 WHERE business_id = :business_id AND id = :run_id AND state = 'draft'
"""
)


async def add(session: AsyncSession, feed: AdditionFeed) -> None:
    """Let these contacts be fed."""
    names = ("control_id", "run_id", "business_id", "list_id", "correlation_id", "traceparent")
    await session.execute(_ADD, {name: getattr(feed, name) for name in names})


async def take_next(session: AsyncSession) -> AdditionFeed | None:
    """The addition whose turn it is, held by this transaction alone."""
    return first(await session.execute(_NEXT), AdditionFeed)


async def members(session: AsyncSession, feed: AdditionFeed, *, limit: int) -> list[Member]:
    """Who comes after those that have left."""
    values = {
        "list_id": feed.list_id,
        "business_id": feed.business_id,
        "after": feed.after_position,
        "limit": limit,
    }
    return every(await session.execute(_MEMBERS, values), Member)


async def advance(session: AsyncSession, feed: AdditionFeed, position: int) -> None:
    """One more piece has left, up to this place."""
    values = {"control_id": feed.control_id, "position": position}
    await session.execute(_ADVANCE, values)


async def close(session: AsyncSession, feed: AdditionFeed) -> None:
    """Nobody is left."""
    await session.execute(_CLOSE, {"control_id": feed.control_id})


async def join_draft(
    session: AsyncSession, business_id: str, run_id: str, *, list_id: str, from_list: str
) -> tuple[int, int]:
    """Put a list behind a draft's own, each contact once; how many were added, of how many."""
    values = {"business_id": business_id, "run_id": run_id}
    await session.execute(_OWN_LIST, values | {"list_id": list_id})
    row = (await session.execute(_JOIN, values | {"from_list": from_list})).one()
    await session.execute(_BELONGS, values)
    return row.added, row.asked
