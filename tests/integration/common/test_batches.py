"""One batch, one transaction: failures, deadlocks, slow handlers and an absent database."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from aio_pika import IncomingMessage
from aiormq.abc import DeliveredMessage
from pamqp.commands import Basic
from pamqp.header import ContentHeader
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession
from tests.integration.common.parts import SHORT, applied, progressed, wire, write_effect

from trunkline_common.broker.batches import Batches, DatabaseAway, Delivery, Handler
from trunkline_common.broker.envelope import decode, encode
from trunkline_common.contracts import Envelope
from trunkline_common.contracts.outbound import RunProgressed
from trunkline_common.db import Database, open_database, transaction
from trunkline_common.outcomes import Refuse, TryLater
from trunkline_common.testing import eventually


def delivery(run_id: str) -> Delivery:
    message = encode(wire(progressed(run_id)), "outbound")
    frames = DeliveredMessage(
        delivery=Basic.Deliver("tag", 1, False, "", ""),
        header=ContentHeader(properties=message.message.properties),
        body=message.message.body,
        channel=None,  # type: ignore[arg-type]  # a batch never answers the broker
    )
    raw = IncomingMessage(frames)
    return Delivery(raw, decode(raw))


def batches(database: Database, handler: Handler, *, seconds: float = 20) -> Batches:
    return Batches(SHORT, {RunProgressed: handler}, database, handler_seconds=seconds)


async def inbox_size(database: Database) -> int:
    async with database.sessions() as session:
        return int((await session.execute(text("SELECT count(*) FROM inbox"))).scalar_one())


async def test_the_failed_ones_leave_no_trace_and_the_others_stand(database: Database) -> None:
    async def some_fail(session: AsyncSession, envelope: Envelope[RunProgressed]) -> None:
        await write_effect(session, envelope)
        number = int(envelope.event.run_id[4:])
        if number % 3 == 0:
            raise TryLater("not yet")
        if number % 3 == 1:
            await session.execute(text("SELECT 1 / 0"))

    batch = [delivery(f"run_{number}") for number in range(9)]
    await batches(database, some_fail).apply(batch)
    for number, one in enumerate(batch):
        assert (one.error is None) == (number % 3 == 2)
        assert len(await applied(database, f"run_{number}")) == (1 if one.error is None else 0)
    assert await inbox_size(database) == 3  # a failed one's row would swallow its retry
    for one in batch:
        one.error = None
    await batches(database, write_effect).apply(batch)
    assert await inbox_size(database) == 9
    for number in range(9):
        assert len(await applied(database, f"run_{number}")) == 1


async def test_two_copies_in_one_batch_are_applied_once(database: Database) -> None:
    first = delivery("run_a")
    second = Delivery(first.message, first.envelope)
    await batches(database, write_effect).apply([first, second])
    assert (first.error, second.error) == (None, None)
    assert [first.duplicate, second.duplicate].count(True) == 1
    assert len(await applied(database, "run_a")) == 1


async def test_what_is_seen_before_is_a_duplicate(database: Database) -> None:
    one = delivery("run_b")
    again = Delivery(one.message, one.envelope)
    await batches(database, write_effect).apply([one])
    await batches(database, write_effect).apply([again, delivery("run_c")])
    assert again.duplicate
    assert len(await applied(database, "run_b")) == len(await applied(database, "run_c")) == 1


async def test_a_deadlock_is_resolved_by_working_singly(database: Database) -> None:
    """Two batches lock two rows in opposite orders; both end, and each effect is there once."""
    async with transaction(database) as session:
        await session.execute(
            text("INSERT INTO effects VALUES ('row_x', '', NULL), ('row_y', '', NULL)")
        )
    met = asyncio.Barrier(2)

    def locking(first: str, second: str) -> Handler:
        held: list[int] = []

        async def handler(session: AsyncSession, envelope: Envelope[RunProgressed]) -> None:
            for row in (first, second) if envelope.event.run_id.endswith("1") else ():
                await session.execute(
                    text("UPDATE effects SET note = 'held' WHERE run_id = :row"), {"row": row}
                )
                if not held:
                    held.append(1)
                    async with asyncio.timeout(10):
                        await met.wait()
            await write_effect(session, envelope)

        return handler

    left = [delivery("left_1"), delivery("left_2")]
    right = [delivery("right_1"), delivery("right_2")]
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(batches(database, locking("row_x", "row_y")).apply(left))
        tasks.create_task(batches(database, locking("row_y", "row_x")).apply(right))
    assert [one.error for one in (*left, *right)] == [None] * 4
    for run_id in ("left_1", "left_2", "right_1", "right_2"):
        assert len(await applied(database, run_id)) == 1


async def test_a_handler_that_hangs_costs_an_attempt_and_nobody_elses(database: Database) -> None:
    async def hangs(session: AsyncSession, envelope: Envelope[RunProgressed]) -> None:
        await write_effect(session, envelope)
        if envelope.event.run_id == "run_slow":
            await session.execute(text("SELECT pg_sleep(20)"))

    batch = [delivery("run_quick"), delivery("run_slow"), delivery("run_other")]
    await batches(database, hangs, seconds=0.5).apply(batch)
    assert [type(one.error) for one in batch] == [type(None), TryLater, type(None)]
    assert "longer than 0.5 s" in str(batch[1].error)
    assert await applied(database, "run_slow") == []
    assert (
        len(await applied(database, "run_quick")) == len(await applied(database, "run_other")) == 1
    )


async def test_an_absent_database_is_no_messages_fault() -> None:
    async with open_database("postgresql://nobody@127.0.0.1:1/none", application="test") as away:
        batch = [delivery("run_d")]
        with pytest.raises(DatabaseAway):
            await batches(away, write_effect).apply(batch)
        assert batch[0].error is None


async def test_a_connection_that_breaks_in_a_handler_is_no_messages_fault(
    database: Database,
) -> None:
    broken: list[int] = []

    async def breaks_once(session: AsyncSession, envelope: Envelope[RunProgressed]) -> None:
        await write_effect(session, envelope)
        if not broken:
            broken.append(1)
            await session.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    batch = [delivery("run_e"), delivery("run_f")]
    with pytest.raises(DatabaseAway):
        await batches(database, breaks_once).apply(batch)
    assert [one.error for one in batch] == [None, None]
    await batches(database, breaks_once).apply(batch)
    assert len(await applied(database, "run_e")) == len(await applied(database, "run_f")) == 1


async def test_a_commit_that_fails_is_found_and_laid_at_the_right_door(database: Database) -> None:
    """A deferred constraint speaks up at the commit, when no handler is running any more."""
    async with deferred(database):

        async def twice(session: AsyncSession, envelope: Envelope[RunProgressed]) -> None:
            await write_effect(session, envelope)
            if envelope.event.run_id == "run_g":
                await write_effect(session, envelope)

        batch = [delivery("run_g"), delivery("run_h")]
        await batches(database, twice).apply(batch)
    assert batch[0].error is not None
    assert not isinstance(batch[0].error, Refuse)
    assert batch[1].error is None
    assert await applied(database, "run_g") == []
    assert len(await applied(database, "run_h")) == 1


@contextlib.asynccontextmanager
async def deferred(database: Database) -> AsyncIterator[None]:
    async with transaction(database) as session:
        await session.execute(
            text(
                "ALTER TABLE effects ADD CONSTRAINT effects_once UNIQUE (event_id)"
                " DEFERRABLE INITIALLY DEFERRED"
            )
        )
    try:
        yield
    finally:
        async with transaction(database) as session:
            await session.execute(text("ALTER TABLE effects DROP CONSTRAINT effects_once"))


async def test_an_event_is_heard_with_its_correlation_id(database: Database) -> None:
    from trunkline_common.telemetry import current_correlation_id

    heard: list[str | None] = []

    async def handler(_session: AsyncSession, _envelope: Envelope[RunProgressed]) -> None:
        heard.append(current_correlation_id())

    await batches(database, handler).apply([delivery("run_i")])
    await eventually(lambda: heard == ["cor_1"])
    assert current_correlation_id() is None
