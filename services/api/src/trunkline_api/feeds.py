"""Audiences leave for outbound: a chunk is a transaction, so a crash neither skips nor repeats."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from trunkline_api.domain.personal import known_values
from trunkline_api.store import feeds as store
from trunkline_api.store.feeds import Feed, Member
from trunkline_common.contracts.api import AudienceContact, RunAudienceAdded, RunAudienceClosed
from trunkline_common.db import Database, outbox, transaction
from trunkline_common.db.outbox import Fact
from trunkline_common.db.transaction import name_commit

WAKE: Final = "api.feeds"
CHUNK_CONTACTS: Final = 500
CHUNK_BYTES: Final = 96 * 1024
_FRAME_BYTES: Final = 256  # the chunk's own fields


async def feed_next(database: Database) -> bool:
    """Let one chunk of the audience whose turn it is leave; whether there was anything to do.

    INVARIANT: the chunk's fact and the mark behind its last contact commit together. A replica
    that dies in between leaves neither, and another one goes on from the mark.
    """
    async with transaction(database) as session:
        feed = await store.take_next(session)
        if feed is None:
            return False
        name_commit(session, "api.feed")
        members = await store.members(session, feed, limit=CHUNK_CONTACTS)
        contacts = fitting([contact_of(member) for member in members])
        if contacts:
            event = RunAudienceAdded(
                run_id=feed.run_id, chunk=feed.chunks + 1, contacts=tuple(contacts)
            )
            await outbox.add(session, _fact(feed, event))
            await store.advance(session, feed, members[len(contacts) - 1], len(contacts))
        else:
            closed = RunAudienceClosed(
                run_id=feed.run_id, chunks=feed.chunks, contacts=feed.contacts
            )
            await outbox.add(session, _fact(feed, closed))
            await store.close(session, feed.run_id)
    return True


def fitting(contacts: Sequence[AudienceContact]) -> list[AudienceContact]:
    """The longest beginning that is a chunk: never more bytes than one may have."""
    room = CHUNK_BYTES - _FRAME_BYTES
    fit: list[AudienceContact] = []
    for contact in contacts:
        room -= len(contact.model_dump_json().encode()) + 1
        if room < 0 and fit:
            break
        fit.append(contact)
    return fit


def contact_of(member: Member) -> AudienceContact:
    """A contact as outbound is told of it."""
    return AudienceContact(
        contact_id=member.contact_id,
        address=member.address,
        zone=member.time_zone,
        variables=known_values(member),
    )


def _fact(feed: Feed, event: RunAudienceAdded | RunAudienceClosed) -> Fact:
    return Fact(event, feed.business_id, feed.correlation_id, traceparent=feed.traceparent)
