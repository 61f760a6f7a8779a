"""Audiences on their way to outbound: which run's turn it is, and who comes next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_api.store.rows import every, first


@dataclass(frozen=True, slots=True)
class Feed:
    """One run whose audience has not left whole."""

    run_id: str
    business_id: str
    list_id: str | None
    after_position: int
    after_contact: str
    chunks: int
    contacts: int
    correlation_id: str
    traceparent: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Member:
    """One contact of an audience and its place in it."""

    position: int
    contact_id: str
    address: str
    name: str | None
    first_name: str | None
    last_name: str | None
    time_zone: str | None
    variables: dict[str, str]


# Starts do not wait for each other, only for a contact that is being deleted (contact_edits).
_KEEP: Final = text("SELECT pg_advisory_xact_lock_shared(hashtextextended(:business_id, 160))")
_ADD: Final = text(
    """
INSERT INTO audience_feeds (run_id, business_id, list_id, correlation_id, traceparent)
VALUES (:run_id, :business_id, :list_id, :correlation_id, :traceparent)
"""
)
# Who was fed longest ago is next, so that a large audience does not hold up a small one.
_NEXT: Final = text(
    """
SELECT run_id, business_id, list_id, after_position, after_contact, chunks, contacts,
       correlation_id, traceparent, created_at
  FROM audience_feeds
 WHERE closed_at IS NULL
 ORDER BY fed_at
 LIMIT 1
   FOR UPDATE SKIP LOCKED
"""
)
_MEMBER: Final = (
    "contacts.id AS contact_id, address, name, first_name, last_name, time_zone, variables"
)
_ON_LIST: Final = text(
    f"""
SELECT position, {_MEMBER}
  FROM audience_members JOIN contacts ON contacts.id = contact_id
 WHERE list_id = :list_id AND audience_members.business_id = :business_id
   AND contacts.business_id = :business_id AND position > :after
 ORDER BY position LIMIT :limit
"""  # noqa: S608
)


def is_everybody(started_at: str, snapshot: str) -> str:
    """SQL: whether a contact is one of all, for a start at this time that saw this much."""
    return f"""
    (contacts.created_at < {started_at} - interval '1 hour'
     OR contacts.added_by IS NULL AND contacts.created_at <= {started_at}
     OR pg_visible_in_snapshot(contacts.added_by, {snapshot}))
    """


_STARTED_AT: Final = "CAST(:started_at AS timestamptz)"
_SNAPSHOT: Final = "(SELECT snapshot FROM audience_feeds WHERE run_id = :run_id)"
# "All" are those whose transaction had committed when the run was started. INVARIANT: the set does
# not change while it is fed, so that the mark behind the last id skips nobody: an import that was
# under way at the start is left out whole, however low its ids are. No transaction lives for an
# hour, so older contacts are taken by the clock: a restored copy has other transaction numbers.
_OF_BUSINESS: Final = text(
    f"""
SELECT 0 AS position, {_MEMBER}
  FROM contacts
 WHERE business_id = :business_id AND id > :after
   AND {is_everybody(_STARTED_AT, _SNAPSHOT)}
 ORDER BY id LIMIT :limit
"""  # noqa: S608
)
_ADVANCE: Final = text(
    """
UPDATE audience_feeds
   SET after_position = :position, after_contact = :contact, chunks = chunks + 1,
       contacts = contacts + :count, fed_at = clock_timestamp()
 WHERE run_id = :run_id
"""
)
_CLOSE: Final = text(
    "UPDATE audience_feeds SET closed_at = clock_timestamp() WHERE run_id = :run_id"
)


async def add(
    session: AsyncSession,
    *,
    run_id: str,
    business_id: str,
    list_id: str | None,
    correlation_id: str,
    traceparent: str | None,
) -> None:
    """Let a run's audience be fed; whoever has committed by now is in it, if it is everybody."""
    values = {
        "run_id": run_id,
        "business_id": business_id,
        "list_id": list_id,
        "correlation_id": correlation_id,
        "traceparent": traceparent,
    }
    await keep_contacts(session, business_id)
    await session.execute(_ADD, values)


async def keep_contacts(session: AsyncSession, business_id: str) -> None:
    """No contact of this business is deleted until the transaction ends."""
    await session.execute(_KEEP, {"business_id": business_id})


async def take_next(session: AsyncSession) -> Feed | None:
    """The feed whose turn it is, held by this transaction alone."""
    return first(await session.execute(_NEXT), Feed)


async def members(session: AsyncSession, feed: Feed, *, limit: int) -> list[Member]:
    """Who comes after those that have left."""
    values: dict[str, object] = {"business_id": feed.business_id, "limit": limit}
    if feed.list_id is None:
        values |= {"after": feed.after_contact, "run_id": feed.run_id}
        values |= {"started_at": feed.created_at}
        rows = await session.execute(_OF_BUSINESS, values)
    else:
        values |= {"after": feed.after_position, "list_id": feed.list_id}
        rows = await session.execute(_ON_LIST, values)
    return every(rows, Member)


async def advance(session: AsyncSession, feed: Feed, last: Member, count: int) -> None:
    """One more chunk has left, up to this member."""
    values = {
        "run_id": feed.run_id,
        "position": last.position,
        "contact": last.contact_id,
        "count": count,
    }
    await session.execute(_ADVANCE, values)


async def close(session: AsyncSession, run_id: str) -> None:
    """Nobody is left."""
    await session.execute(_CLOSE, {"run_id": run_id})
