"""Short games over the fabric's own rules: each says what is lost or applied twice, if anything."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any, Final

from prometheus_client import REGISTRY
from sqlalchemy.ext.asyncio import AsyncSession
from tests.integration.common.parts import (
    SHORT,
    applied,
    consuming,
    progressed,
    unsent,
    wire,
    write_effect,
)

from trunkline_common.broker import Handlers, consume_queues
from trunkline_common.broker.connect import BrokerLost
from trunkline_common.broker.publisher import Publisher, PublishLink
from trunkline_common.broker.relay import Gone, Relay
from trunkline_common.contracts import Envelope
from trunkline_common.contracts.outbound import RunProgressed
from trunkline_common.db import Database, outbox, transaction
from trunkline_common.db.outbox import Fact
from trunkline_common.loops import Stop
from trunkline_common.outcomes import TryLater
from trunkline_common.testing import Broker, eventually

SHORT_LEASE: Final = 0.1  # of a relay's claims, in seconds


async def once(database: Database, *run_ids: str) -> None:
    """Each of these events was applied exactly once."""
    for run_id in run_ids:
        count = len(await applied(database, run_id))
        assert count != 0, f"lost: the effect on {run_id}"
        assert count == 1, f"twice: the effect on {run_id}, {count} times"


def duplicates() -> float:
    """How many deliveries the inbox has dropped."""
    labels = {"queue": SHORT.name, "result": "duplicate"}
    return REGISTRY.get_sample_value("trunkline_consumed_total", labels) or 0.0


async def say(session: AsyncSession, run_id: str) -> None:
    await outbox.add(session, Fact(progressed(run_id), "biz_1", "cor_1"))


async def said_again(database: Database, broker: Broker) -> None:
    """A relay that never heard its confirm publishes again."""
    first = wire(progressed("run_a"))
    async with consuming(database, broker):
        await broker.publish(first, "outbound")
        await eventually(lambda: applied(database, "run_a"))
        await broker.publish(first, "outbound")
        await broker.publish(wire(progressed("run_after")), "outbound")
        await eventually(lambda: applied(database, "run_after"))
    await once(database, "run_a", "run_after")


async def said_twice_at_once(database: Database, broker: Broker) -> None:
    """Both copies lie in the queue before anybody takes one: they come in one batch."""
    first = wire(progressed("run_a"))
    for _ in range(2):
        await broker.publish(first, "outbound")
    async with consuming(database, broker):
        await eventually(lambda: applied(database, "run_a"))
        await eventually(lambda: broker.is_empty(SHORT.name))
    await once(database, "run_a")


async def failed_among_others(database: Database, broker: Broker) -> None:
    """One handler of a batch fails once; its neighbours are committed, and it is tried again."""
    may_succeed = False

    async def handler(session: AsyncSession, envelope: Envelope[RunProgressed]) -> None:
        if envelope.event.run_id == "run_1" and not may_succeed:
            raise TryLater("not yet")
        await write_effect(session, envelope)

    for number in range(3):
        await broker.publish(wire(progressed(f"run_{number}")), "outbound")
    before = duplicates()

    async def tried_again() -> bool:
        nonlocal may_succeed
        may_succeed = may_succeed or bool(await applied(database, "run_0"))
        return bool(await applied(database, "run_1")) or duplicates() > before

    async with consuming(database, broker, {RunProgressed: handler}):
        await eventually(tried_again, within=20)
    await once(database, "run_0", "run_1", "run_2")


async def killed_at_work(database: Database, broker: Broker) -> None:
    """A consumer dies while its handler works, and another one takes its place."""
    begun = asyncio.Event()

    async def hangs(_session: AsyncSession, _envelope: Envelope[RunProgressed]) -> None:
        begun.set()
        await asyncio.Event().wait()

    await broker.publish(wire(progressed("run_a")), "outbound")
    handlers: Handlers = {RunProgressed: hangs}
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        victim = tasks.create_task(
            consume_queues({SHORT: handlers}, database, broker.url, "small", Stop())
        )
        await begun.wait()
        victim.cancel()
    async with consuming(database, broker):
        # What was given back comes before whatever is said now.
        await broker.publish(wire(progressed("run_after")), "outbound")
        await eventually(lambda: applied(database, "run_after"))
    await once(database, "run_a", "run_after")


async def committed_late(database: Database, broker: Broker) -> None:
    """A fact commits after one with a higher position has left."""
    async with PublishLink(broker.url, "tests:relay") as link:
        relay = Relay(database, link, "outbound")
        async with transaction(database) as slow:
            await say(slow, "run_slow")
            async with transaction(database) as quick:
                await say(quick, "run_quick")
            assert await relay.tick()
        while await relay.tick():
            pass
    assert await unsent(database) == 0, "lost: a fact that committed late never left"


class Dies(Relay):
    """A relay that loses its process between its first claim and the broker."""

    died = False

    async def _publish(self, publisher: Publisher, rows: Sequence[Any]) -> list[Gone]:
        if not self.died:
            self.died = True
            raise BrokerLost("gone with its claim")
        return await super()._publish(publisher, rows)


async def died_with_a_claim(database: Database, broker: Broker) -> None:
    """What a relay had claimed and not published is published by the next, after the lease."""
    async with transaction(database) as session:
        await say(session, "run_a")
    async with PublishLink(broker.url, "tests:relay") as link:
        relay = Dies(database, link, "outbound", lease=SHORT_LEASE)
        with contextlib.suppress(BrokerLost):
            await relay.tick()

        async def over() -> bool:
            return await relay.tick() or await unsent(database) == 0

        await eventually(over)
    assert not await broker.is_empty(SHORT.name), "lost: a fact that was claimed never left"
