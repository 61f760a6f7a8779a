"""Whom no run may write to, looked at once more when a message of a run is about to leave.

The gate is an advisory lock of the business, as outbound's: whoever keeps a suppression holds it
alone, every intent with others from before it picks until it commits (`sends.pick`). Intents skip
rows that others have locked, so nobody waits in a circle.

INVARIANT: no request for a run's message is written down after a suppression that fits it was
committed here.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_common.contracts.suppressions import ContactSuppressed, ContactUnsuppressed
from trunkline_messaging.store.messages import Message

_ALONE = text("SELECT pg_advisory_xact_lock(hashtextextended(:business_id, 19))")
# What was lifted stays as a row: its version tells an older fact that it comes too late.
_KEEP = text(
    """
INSERT INTO suppressions (business_id, kind, value, run_id, channel, version, in_force)
VALUES (:business_id, :kind, :value, :run_id, :channel, :version, :in_force)
ON CONFLICT (business_id, kind, value, run_id, channel) DO UPDATE
   SET version = excluded.version, in_force = excluded.in_force, changed_at = clock_timestamp()
 WHERE suppressions.version < excluded.version
"""
)
# LIMIT keeps the subquery a lookup in the primary key for each value.
_FIND = text(
    """
SELECT wanted.message_id, wanted.kind
  FROM unnest(CAST(:ids AS text[]), CAST(:runs AS text[]), CAST(:kinds AS text[]),
              CAST(:values AS text[])) WITH ORDINALITY
       AS wanted (message_id, run_id, kind, value, place)
 CROSS JOIN LATERAL (
       SELECT FROM suppressions
        WHERE suppressions.business_id = :business_id AND suppressions.kind = wanted.kind
          AND suppressions.value = wanted.value AND suppressions.run_id IN ('', wanted.run_id)
          AND suppressions.channel IN ('', 'whatsapp') AND suppressions.in_force
        LIMIT 1) AS found
 ORDER BY wanted.place
"""
)


async def keep(
    session: AsyncSession,
    event: ContactSuppressed | ContactUnsuppressed,
    *,
    business_id: str,
    in_force: bool,
) -> None:
    """Keep the newest version of a suppression; intents that commit later obey it."""
    await session.execute(_ALONE, {"business_id": business_id})
    parameters = {
        "business_id": business_id,
        "kind": event.kind,
        "value": event.value,
        "run_id": event.run_id or "",
        "channel": event.channel or "",
        "version": event.version,
        "in_force": in_force,
    }
    await session.execute(_KEEP, parameters)


async def find(
    session: AsyncSession, messages: Sequence[Message], *, business_id: str
) -> dict[str, str]:
    """Which of these are of a run and suppressed, by what kind; the gate is held by the caller."""
    keys = [(m.message_id, m.run_id, *key) for m in messages if m.run_id for key in _keys(m)]
    if not keys:
        return {}
    ids, runs, kinds, values = (list(column) for column in zip(*keys, strict=True))
    parameters = {"ids": ids, "runs": runs, "kinds": kinds, "values": values}
    found: dict[str, str] = {}
    for row in await session.execute(_FIND, parameters | {"business_id": business_id}):
        found.setdefault(row.message_id, row.kind)
    return found


def _keys(message: Message) -> list[tuple[str, str]]:
    """What a suppression of this message can be filed under, the most telling first."""
    address = message.address
    contact = [] if message.contact_id is None else [("contact", message.contact_id)]
    prefixes = [("prefix", address[:length]) for length in range(len(address), 1, -1)]
    return [("address", address), *contact, *prefixes]
