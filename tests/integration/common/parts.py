"""What the tests of the fabric share: a lane with short rungs, and its consumer and relay."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_common.broker import Handlers, consume_queues, declare, relay_outbox
from trunkline_common.broker.envelope import Wire
from trunkline_common.contracts import Envelope, Event
from trunkline_common.contracts.outbound import RunProgressed
from trunkline_common.db import Database
from trunkline_common.ids import new_event_id
from trunkline_common.loops import Stop
from trunkline_common.testing import Broker
from trunkline_common.topology import Queue

SHORT: Final = Queue("tests.short", "outbound", hears=(RunProgressed,), retry_after=(1, 2))


async def declared(broker: Broker) -> None:
    """The lane is there and empty, and so are its rungs."""
    await declare(broker.url, (SHORT,))
    await broker.purge((SHORT,))


def progressed(run_id: str, version: int = 1) -> RunProgressed:
    return RunProgressed(run_id=run_id, version=version, total=1, states={}, outcomes={})


def wire(event: Event, **attributes: Any) -> Wire:
    """The event as an outbox row would say it."""
    return Wire(
        event_id=new_event_id(),
        business_id=attributes.pop("business_id", "biz_1"),
        name=event.name,
        subject=event.subject,
        payload=event.model_dump_json(),
        correlation_id="cor_1",
        occurred_at=datetime(2026, 11, 23, 12, 0, 0, 123456, tzinfo=UTC),
        **attributes,
    )


async def write_effect(session: AsyncSession, envelope: Envelope[RunProgressed]) -> None:
    await session.execute(
        text("INSERT INTO effects (run_id, event_id) VALUES (:run_id, :event_id)"),
        {"run_id": envelope.event.run_id, "event_id": envelope.id},
    )


async def applied(database: Database, run_id: str) -> list[str]:
    """The events whose effect on this run is committed."""
    async with database.sessions() as session:
        rows = await session.execute(
            text("SELECT event_id FROM effects WHERE run_id = :run_id"), {"run_id": run_id}
        )
        return list(rows.scalars())


async def unsent(database: Database) -> int:
    async with database.sessions() as session:
        row = await session.execute(text("SELECT count(*) FROM outbox WHERE sent_at IS NULL"))
        return int(row.scalar_one())


async def nothing_unsent(database: Database) -> bool:
    return await unsent(database) == 0


@contextlib.asynccontextmanager
async def consuming(
    database: Database,
    broker: Broker,
    handlers: Handlers | None = None,
    *,
    on_nottaken: asyncio.Event | None = None,
) -> AsyncIterator[None]:
    """The lane's consumer runs while the block does, and drains at its end."""
    stop = Stop()
    tables = {SHORT: handlers or {RunProgressed: write_effect}}
    with heard("consumer.parking_failed", on_nottaken):
        async with asyncio.timeout(55), asyncio.TaskGroup() as tasks:
            tasks.create_task(consume_queues(tables, database, broker.url, "small", stop))
            try:
                yield
            finally:
                stop.set()


@contextlib.asynccontextmanager
async def relaying(database: Database, broker: Broker) -> AsyncIterator[None]:
    """The relay runs while the block does."""
    stop = Stop()
    async with asyncio.timeout(55), asyncio.TaskGroup() as tasks:
        # Under the name of the service whose facts the tests say.
        tasks.create_task(relay_outbox(database, broker.url, "outbound", stop))
        try:
            yield
        finally:
            stop.set()


@contextlib.contextmanager
def heard(line: str, event: asyncio.Event | None) -> Iterator[None]:
    """Set the event when this line is logged."""

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if event is not None and record.getMessage() == line:
                event.set()

    ear = Ear()
    root = logging.getLogger("trunkline_common")
    root.addHandler(ear)
    try:
        yield
    finally:
        root.removeHandler(ear)
