"""The way out: rows of the outbox become confirmed messages, at least once each."""

from __future__ import annotations

import asyncio
import time
from collections import Counter as Counted
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from opentelemetry.trace import SpanKind
from prometheus_client import Counter, Gauge
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from trunkline_common.broker.confirms import NotTaken
from trunkline_common.broker.connect import BrokerLost
from trunkline_common.broker.envelope import Outgoing, Wire, encode
from trunkline_common.broker.publisher import Publisher, PublishLink
from trunkline_common.db.driver import fetch
from trunkline_common.db.engine import Database
from trunkline_common.db.outbox import CHANNEL
from trunkline_common.db.transaction import transaction
from trunkline_common.failpoints import failpoint
from trunkline_common.loops import Stop, backoff, work_loop
from trunkline_common.telemetry.traces import (
    CORRELATION,
    context_of,
    is_tracing,
    traceparent_of,
    tracer,
)
from trunkline_common.topology import exchange_of

BATCH: Final = 500
LEASE_SECONDS: Final = 30.0
IDLE_SECONDS: Final = 0.5
GAUGE_SECONDS: Final = 5.0
TURNS: Final = 20  # batches of one tick: then the loop looks whether it is to stop


@dataclass(frozen=True, slots=True)
class Row:
    """A fact that this relay has claimed."""

    position: int
    wire: Wire


Gone = tuple[Row, NotTaken | BrokerLost | None]  # a row, and what the broker said of it

RELAYED = Counter("trunkline_relayed_total", "Facts that left the outbox", ["name"])
HELD_BACK = Counter("trunkline_relay_refused_total", "Facts the broker did not take", ["name"])
DEPTH = Gauge("trunkline_outbox_depth", "Facts that have not left yet")
OLDEST = Gauge("trunkline_outbox_oldest_seconds", "Age of the oldest fact that has not left yet")

# By state, never by `position > last`: a row may commit after one with a higher position.
_CLAIM = text(
    """
WITH due AS (
    SELECT position FROM outbox
     WHERE sent_at IS NULL
       AND (claimed_until IS NULL OR claimed_until <= clock_timestamp())
       AND name <> ALL(CAST(:held_back AS text[]))
     ORDER BY position
     LIMIT :batch
       FOR UPDATE SKIP LOCKED)
UPDATE outbox SET claimed_until = clock_timestamp() + make_interval(secs => :lease)
  FROM due WHERE outbox.position = due.position
RETURNING outbox.position, event_id, business_id, name, subject, payload, correlation_id,
          occurred_at, causation_id, sequence, traceparent, tracestate
"""
)
_SENT = text(
    """
UPDATE outbox SET sent_at = clock_timestamp() WHERE position = ANY(CAST(:positions AS bigint[]))
"""
)
_UNCLAIM = text(
    "UPDATE outbox SET claimed_until = NULL WHERE position = ANY(CAST(:positions AS bigint[]))"
)
_LOOK = text(
    """
SELECT count(*) AS depth,
       coalesce(extract(epoch FROM clock_timestamp() - min(occurred_at)), 0) AS oldest
  FROM (SELECT occurred_at FROM outbox WHERE sent_at IS NULL ORDER BY position LIMIT 100000) unsent
"""
)


@dataclass(slots=True)
class _Refusal:
    """An event type that the broker does not take at the moment."""

    failures: int
    until: float


class Relay:
    """Claims, publishes, marks. Several may run: a row is claimed by one of them at a time."""

    def __init__(
        self, database: Database, link: PublishLink, service: str, *, lease: float = LEASE_SECONDS
    ) -> None:
        self._database = database
        self._link = link
        self._service = service
        self._lease = lease
        self._refused: dict[str, _Refusal] = {}

    async def tick(self) -> bool:
        """Relay a while; whether there was anything. Raises `BrokerLost` if the broker is away.

        While a full batch is on its way, the one before it is marked and the next one claimed, so
        that neither the broker nor the database waits for the other. Behind a smaller one there
        is nothing to claim yet: it is marked first, and what has gathered by then is claimed.
        """
        publisher = await self._link.publisher()
        going: Sequence[Row] = await self._turn(())
        gone: list[Gone] = []
        error: Exception | None = None
        turns = 0
        if not going:
            return False
        while going and error is None:
            turns += 1
            if len(going) == BATCH and turns < TURNS:
                async with asyncio.TaskGroup() as work:
                    sending = work.create_task(self._publish(publisher, going))
                    turning = work.create_task(self._tried_turn(gone))
                gone, (going, error) = sending.result(), turning.result()
                error = error or _lost(gone)
            else:
                gone += await self._publish(publisher, going)
                going, error = (), _lost(gone)
                if error is None:
                    going, gone = await self._turn(gone, more=turns < TURNS), []
        await self._turn(gone, more=False, back=going)  # whoever claims must publish
        failpoint("relay.marked")
        if error is not None:
            raise error
        return True

    async def _publish(self, publisher: Publisher, rows: Sequence[Row]) -> list[Gone]:
        failpoint("relay.claimed")
        results = await publisher.publish_all([self._message(row.wire) for row in rows])
        failpoint("relay.published")
        return list(zip(rows, results, strict=True))

    async def _tried_turn(self, gone: Sequence[Gone]) -> tuple[Sequence[Row], Exception | None]:
        """A turn beside a batch on its way, which must not be cut off by what goes wrong here."""
        try:
            return await self._turn(gone), None
        except (SQLAlchemyError, OSError, TimeoutError) as error:  # raised once it is confirmed
            return (), error

    async def _turn(
        self, gone: Sequence[Gone], *, more: bool = True, back: Sequence[Row] = ()
    ) -> Sequence[Row]:
        """In one transaction mark what has gone, give `back` what will not, and claim more."""
        sent = [row.position for row, result in gone if result is None]
        unsent = [row.position for row, result in gone if result is not None]
        unsent += [row.position for row in back]
        more = more and not back
        rows: list[Row] = []
        self._note(gone)
        if not (sent or unsent or more):
            return rows
        async with transaction(self._database) as session:
            if sent:
                await fetch(session, _SENT, {"positions": sent})
            if unsent:
                await fetch(session, _UNCLAIM, {"positions": unsent})
            if more:
                claimed = await fetch(session, _CLAIM, self._wanted())
                rows = [Row(position, Wire(*said)) for position, *said in claimed]
        return sorted(rows, key=lambda row: row.position)

    def _wanted(self) -> dict[str, Any]:
        now = time.monotonic()
        held_back = [name for name, refusal in self._refused.items() if refusal.until > now]
        return {"held_back": held_back, "batch": BATCH, "lease": self._lease}

    def _message(self, wire: Wire) -> Outgoing:
        return encode(self._traced(wire) if is_tracing() else wire, self._service)

    def _traced(self, wire: Wire) -> Wire:
        """The same fact, from a span of its leaving."""
        destination = f"{exchange_of(self._service)}:{wire.name}"
        span = tracer.start_span(
            f"publish {destination}",
            context=context_of(wire.traceparent, wire.tracestate),
            kind=SpanKind.PRODUCER,
        )
        if span.is_recording():
            span.set_attributes(
                {
                    "messaging.system": "rabbitmq",
                    "messaging.operation.name": "publish",
                    "messaging.operation.type": "send",
                    "messaging.destination.name": destination,
                    "messaging.message.id": wire.event_id,
                    "messaging.message.conversation_id": wire.correlation_id,
                    CORRELATION: wire.correlation_id,
                }
            )
            wire = wire._replace(traceparent=traceparent_of(span))
        span.end()
        return wire

    def _note(self, gone: Sequence[Gone]) -> None:
        """Count what left, and hold back what the broker refuses."""
        refused = {row.wire.name for row, result in gone if isinstance(result, NotTaken)}
        for name, count in Counted(row.wire.name for row, result in gone if result is None).items():
            RELAYED.labels(name).inc(count)
            if name not in refused:
                self._refused.pop(name, None)
        self._hold_back(refused)

    def _hold_back(self, names: set[str]) -> None:
        """A full queue refuses one type of event; the others go on."""
        for name in names:
            HELD_BACK.labels(name).inc()
            before = self._refused.get(name)
            failures = before.failures + 1 if before else 1
            self._refused[name] = _Refusal(failures, time.monotonic() + backoff(failures))


def _lost(gone: Sequence[Gone]) -> BrokerLost | None:
    return next((result for _, result in gone if isinstance(result, BrokerLost)), None)


async def relay_outbox(
    database: Database,
    broker_url: str,
    service: str,
    stop: Stop,
    *,
    lease: float = LEASE_SECONDS,
) -> None:
    """Relay until `stop`. While the broker is away the rows wait, and so does this."""

    async def look() -> bool:
        async with database.sessions() as session:
            seen = (await session.execute(_LOOK)).one()
        DEPTH.set(seen.depth)
        OLDEST.set(float(seen.oldest))
        return False

    async with PublishLink(broker_url, f"trunkline_{service}:relay") as link:
        relay = Relay(database, link, service, lease=lease)
        flag = database.waker.flag(CHANNEL)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(
                work_loop("relay", relay.tick, stop=stop, flag=flag, idle=IDLE_SECONDS)
            )
            tasks.create_task(work_loop("outbox", look, stop=stop, idle=GAUGE_SECONDS))
