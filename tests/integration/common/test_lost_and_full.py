"""What the broker may do to us: close, cancel, refuse; consumer and relay go on."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from tests.integration.common.parts import (
    SHORT,
    applied,
    consuming,
    declared,
    nothing_unsent,
    progressed,
    relaying,
    unsent,
    wire,
)

from trunkline_common.broker.confirms import NotTaken
from trunkline_common.broker.envelope import encode
from trunkline_common.contracts import Event
from trunkline_common.contracts.outbound import RunProgressed, RunStarted
from trunkline_common.db import Database, outbox, transaction
from trunkline_common.db.outbox import Fact
from trunkline_common.testing import Broker, eventually

pytestmark = pytest.mark.broker


@pytest.mark.trap("events without a store")
async def test_consumer_and_relay_go_on_after_the_broker_closed_their_connections(
    database: Database, broker: Broker
) -> None:
    await declared(broker)
    async with consuming(database, broker), relaying(database, broker):
        async with transaction(database) as session:
            await outbox.add(session, Fact(progressed("run_j"), "biz_1", "cor_1"))
        await eventually(lambda: applied(database, "run_j"))
        assert await broker.close_connections("trunkline_small:tests.short") == 1
        assert await broker.close_connections("trunkline_outbound:relay") == 1
        async with transaction(database) as session:
            await outbox.add(session, Fact(progressed("run_k"), "biz_1", "cor_1"))
        await eventually(lambda: applied(database, "run_k"), within=20)


async def test_a_consumer_survives_that_its_queue_is_deleted(
    database: Database, broker: Broker
) -> None:
    """The broker cancels the consumer, or on 3.10 forgets it: it comes back once the queue does."""
    await declared(broker)
    async with consuming(database, broker):
        await broker.publish(wire(progressed("run_l")), "outbound")
        await eventually(lambda: applied(database, "run_l"))
        async with broker.channel() as channel:
            await channel.queue_delete(SHORT.name)
        await declared(broker)
        await broker.publish(wire(progressed("run_m")), "outbound")
        await eventually(lambda: applied(database, "run_m"), within=40)


async def test_a_full_queue_holds_back_one_type_of_event_and_no_other(
    database: Database, broker: Broker
) -> None:
    await declared(broker)
    async with full_queue(broker) as full:
        async with transaction(database) as session:
            facts = [Fact(progressed(f"run_n{n}"), "biz_tiny", "cor") for n in range(40)]
            await outbox.add_all(session, facts)
            other = RunStarted(run_id="run_o", total=1, rejects=0)
            await outbox.add(session, Fact(other, "biz_tiny", "cor"))
        async with relaying(database, broker):
            await eventually(lambda: sent(database, RunStarted))
            assert await unsent(database) > 0
            async with broker.channel() as channel:
                await channel.queue_delete(full)
            await eventually(lambda: nothing_unsent(database), within=20)


async def sent(database: Database, event: type[Event]) -> bool:
    async with database.sessions() as session:
        found = await session.execute(
            text("SELECT 1 FROM outbox WHERE name = :name AND sent_at IS NOT NULL"),
            {"name": event.name},
        )
    return found.first() is not None


@contextlib.asynccontextmanager
async def full_queue(broker: Broker) -> AsyncIterator[str]:
    """A queue that hears one type of event of one business, and refuses more of them."""
    name = "tests.full"
    async with broker.channel() as channel:
        queue = await channel.declare_queue(
            name,
            durable=True,
            arguments={
                "x-queue-type": "quorum",
                "x-overflow": "reject-publish",
                "x-max-length": 2,
            },
        )
        await queue.bind("trunkline.outbound", f"biz_tiny.{RunProgressed.name}")
        message = encode(wire(progressed("run_full"), business_id="biz_tiny"), "outbound")
        async with broker.publisher() as publisher:
            with pytest.raises(NotTaken, match="full"):  # noqa: PT012 - one of them is the one
                for _ in range(50):  # the limit of a quorum queue is a soft one
                    await publisher.publish(message)
        yield name
