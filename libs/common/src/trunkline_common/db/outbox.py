"""Facts on their way out: rows of the transaction that made them true; the relay publishes them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from opentelemetry.propagate import inject
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_common.contracts.envelope import Event
from trunkline_common.db.driver import fetch
from trunkline_common.db.transaction import wake_after_commit
from trunkline_common.ids import new_event_id
from trunkline_common.outcomes import TrunklineError

KEEP_HOURS = 24  # sent rows: long enough to see what was said yesterday
CHANNEL = "outbox"  # rung after every commit that added rows

TABLE_V1 = """
CREATE TABLE outbox (
    position       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id       text NOT NULL,
    business_id    text NOT NULL,
    name           text NOT NULL,
    subject        text NOT NULL,
    payload        text NOT NULL,
    correlation_id text NOT NULL,
    causation_id   text,
    sequence       bigint,
    traceparent    text,
    tracestate     text,
    occurred_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    claimed_until  timestamptz,
    sent_at        timestamptz
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01);
CREATE INDEX outbox_unsent ON outbox (position) WHERE sent_at IS NULL;
CREATE INDEX outbox_sent ON outbox (sent_at) WHERE sent_at IS NOT NULL;
"""

MAX_BYTES: Final = 128 * 1024  # of a body: media and files stay in storage


class TooLarge(TrunklineError):
    """A fact too long for a message: whoever made it must cut it, so nothing is committed."""


_ADD = text(
    """
INSERT INTO outbox (event_id, business_id, name, subject, payload, correlation_id, causation_id,
                    sequence, traceparent, tracestate)
SELECT * FROM unnest(
    CAST(:event_ids AS text[]), CAST(:business_ids AS text[]), CAST(:names AS text[]),
    CAST(:subjects AS text[]), CAST(:payloads AS text[]), CAST(:correlation_ids AS text[]),
    CAST(:causation_ids AS text[]), CAST(:sequences AS bigint[]),
    CAST(:traceparents AS text[]), CAST(:tracestates AS text[]))
"""
)
_PRUNE = text(
    """
DELETE FROM outbox WHERE position IN (
    SELECT position FROM outbox
     WHERE sent_at < clock_timestamp() - make_interval(hours => :hours)
     LIMIT :batch)
"""
)


@dataclass(frozen=True, slots=True)
class Fact:
    """One event to be published if, and only if, the transaction commits.

    Without a `traceparent` of its own the fact belongs to the span that is current when it is
    added. `causation_id` is the id of the event that led to it.
    """

    event: Event
    business_id: str
    correlation_id: str
    causation_id: str | None = None
    sequence: int | None = None
    traceparent: str | None = None


def _payload(event: Event) -> str:
    payload = event.model_dump_json()
    size = len(payload.encode())
    if size > MAX_BYTES:
        raise TooLarge(f"{event.name} has {size} bytes, {MAX_BYTES} are the most")
    return payload


async def add(session: AsyncSession, *facts: Fact) -> None:
    """Add facts to the outbox of the session's service."""
    await add_all(session, facts)


async def add_all(session: AsyncSession, facts: Iterable[Fact]) -> None:
    """Add many facts in one statement."""
    rows = list(facts)
    if not rows:
        return
    carrier: dict[str, str] = {}
    inject(carrier)
    here = carrier.get("traceparent")
    await fetch(
        session,
        _ADD,
        {
            "event_ids": [new_event_id() for _ in rows],
            "business_ids": [row.business_id for row in rows],
            "names": [row.event.name for row in rows],
            "subjects": [row.event.subject for row in rows],
            "payloads": [_payload(row.event) for row in rows],
            "correlation_ids": [row.correlation_id for row in rows],
            "causation_ids": [row.causation_id for row in rows],
            "sequences": [row.sequence for row in rows],
            "traceparents": [row.traceparent or here for row in rows],
            "tracestates": [None if row.traceparent else carrier.get("tracestate") for row in rows],
        },
    )
    wake_after_commit(session, CHANNEL)


async def prune(session: AsyncSession, *, batch: int = 5_000) -> int:
    """Delete rows that were sent long ago, at most a batch; how many went."""
    result = await session.execute(_PRUNE, {"hours": KEEP_HOURS, "batch": batch})
    return int(result.rowcount)  # type: ignore[attr-defined]  # rowcount exists on DML results
