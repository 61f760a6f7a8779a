"""The way of one event: commit, relay, broker, inbox, effect; and back into the ladder."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest
from aio_pika.abc import AbstractIncomingMessage
from sqlalchemy.ext.asyncio import AsyncSession
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
    write_effect,
)

from trunkline_common.broker.confirms import NotTaken
from trunkline_common.broker.connect import BrokerLost
from trunkline_common.broker.envelope import Outgoing, encode
from trunkline_common.contracts import Envelope
from trunkline_common.contracts.outbound import RunProgressed, RunStarted
from trunkline_common.db import Database, outbox, transaction
from trunkline_common.db.outbox import Fact
from trunkline_common.outcomes import Refuse, TryLater
from trunkline_common.testing import Broker, eventually
from trunkline_common.topology import UNROUTED_QUEUE

pytestmark = pytest.mark.broker


@pytest.mark.trap("commit then publish")
async def test_a_committed_fact_has_its_effect_once(database: Database, broker: Broker) -> None:
    await declared(broker)
    async with consuming(database, broker), relaying(database, broker):
        async with transaction(database) as session:
            await outbox.add(session, Fact(progressed("run_a"), "biz_1", "cor_1"))
        await eventually(lambda: applied(database, "run_a"))
        await eventually(lambda: nothing_unsent(database))
    assert len(await applied(database, "run_a")) == 1


def reason_of(dead: AbstractIncomingMessage) -> str:
    return str((dead.headers or {})["x-reason"])


async def test_a_rolled_back_fact_is_never_said(database: Database, broker: Broker) -> None:
    await declared(broker)
    with contextlib.suppress(ZeroDivisionError):
        async with transaction(database) as session:
            await outbox.add(session, Fact(progressed("run_never"), "biz_1", "cor_1"))
            raise ZeroDivisionError
    async with consuming(database, broker), relaying(database, broker):
        async with transaction(database) as session:
            await outbox.add(session, Fact(progressed("run_b"), "biz_1", "cor_1"))
        await eventually(lambda: applied(database, "run_b"))
    assert await applied(database, "run_never") == []


async def test_a_fact_too_long_for_a_message_is_refused_with_its_transaction(
    database: Database,
) -> None:
    longest = {"x" * (outbox.MAX_BYTES - len(progressed("run_a").model_dump_json()) - 4): 1}
    fact = RunProgressed(run_id="run_a", version=1, total=1, states=longest, outcomes={})
    async with transaction(database) as session:
        await outbox.add(session, Fact(fact, "biz_1", "cor_1"))
    assert await unsent(database) == 1
    too_long = fact.model_copy(update={"run_id": "run_ab"})
    with pytest.raises(outbox.TooLarge, match=r"run.progressed.v1 has 131073 bytes"):
        async with transaction(database) as session:
            await outbox.add(session, Fact(too_long, "biz_1", "cor_1"))
    assert await unsent(database) == 1


async def test_a_duplicate_is_dropped_by_the_inbox(database: Database, broker: Broker) -> None:
    await declared(broker)
    first = wire(progressed("run_c"))
    async with consuming(database, broker):
        for _ in range(3):
            await broker.publish(first, "outbound")
        await broker.publish(wire(progressed("run_after")), "outbound")
        await eventually(lambda: applied(database, "run_after"))
        await eventually(lambda: broker.is_empty(SHORT.name))
    assert len(await applied(database, "run_c")) == 1


async def test_one_failure_in_a_batch_is_retried_and_each_effect_applied_once(
    database: Database, broker: Broker
) -> None:
    await declared(broker)
    failed: list[str] = []

    async def fails_once(session: AsyncSession, envelope: Envelope[RunProgressed]) -> None:
        await write_effect(session, envelope)
        if envelope.event.run_id == "run_5" and not failed:
            failed.append(envelope.id)
            raise TryLater("not yet")

    for number in range(10):
        await broker.publish(wire(progressed(f"run_{number}")), "outbound")
    async with consuming(database, broker, {RunProgressed: fails_once}):
        for number in range(10):
            await eventually(lambda n=number: applied(database, f"run_{n}"))  # type: ignore[misc]
    for number in range(10):
        assert len(await applied(database, f"run_{number}")) == 1
    assert failed


async def test_the_ladder_ends_in_the_dead_queue_with_the_reason(
    database: Database, broker: Broker
) -> None:
    await declared(broker)
    seen: list[str] = []

    async def always_later(_session: AsyncSession, envelope: Envelope[RunProgressed]) -> None:
        seen.append(envelope.id)
        raise TryLater("the carrier is down, call +4915112345678")

    await broker.publish(wire(progressed("run_d")), "outbound")
    async with consuming(database, broker, {RunProgressed: always_later}):
        dead = await broker.next_message(SHORT.dead_queue, within=15)
    headers = dead.headers or {}
    assert len(seen) == 3
    assert headers["x-attempt"] == 3
    assert headers["x-reason"] == "gave up after 3 attempts: the carrier is down, call +…78"
    assert headers["ce-id"] == seen[0]
    assert await broker.is_empty(SHORT.name, *SHORT.retry_queues, SHORT.dead_queue)


@pytest.mark.parametrize(
    ("body", "properties", "reason"),
    [
        (b"{}", {}, "not a CloudEvent 1.0 in binary mode"),
        (b"{}", {"headers": {"ce-specversion": "1.0", "ce-type": "no.such.v9"}}, "unknown event"),
        (
            b"{broken",
            {"headers": {"ce-specversion": "1.0", "ce-type": RunProgressed.name}},
            f"{RunProgressed.name} does not parse: body: Invalid JSON",
        ),
        (
            b'{"run_id": "r"}',
            {"headers": {"ce-specversion": "1.0", "ce-type": RunProgressed.name}},
            f"{RunProgressed.name} does not parse: version: Field required",
        ),
    ],
)
async def test_what_does_not_parse_is_dead_with_the_reason(
    database: Database, broker: Broker, body: bytes, properties: dict[str, Any], reason: str
) -> None:
    await declared(broker)
    await broker.put(SHORT.name, body, **properties)
    async with consuming(database, broker):
        dead = await broker.next_message(SHORT.dead_queue)
    assert reason_of(dead).startswith(reason)
    assert await broker.is_empty(SHORT.name, *SHORT.retry_queues, SHORT.dead_queue)


@pytest.mark.parametrize(
    ("error", "ends_in"),
    [
        (None, None),
        (TryLater("later"), "rung"),
        (Refuse("no such business"), "dead"),
        (KeyError("bug"), "rung"),
        (ValueError("bug"), "rung"),
    ],
)
async def test_after_each_kind_of_end_a_message_is_in_exactly_one_place(
    database: Database, broker: Broker, error: Exception | None, ends_in: str | None
) -> None:
    await declared(broker)
    calls: list[int] = []

    async def ends_so(session: AsyncSession, envelope: Envelope[RunProgressed]) -> None:
        calls.append(1)
        if error is not None and len(calls) == 1:
            raise error
        await write_effect(session, envelope)

    await broker.publish(wire(progressed("run_e")), "outbound")
    async with consuming(database, broker, {RunProgressed: ends_so}):
        if ends_in == "dead":
            dead = await broker.next_message(SHORT.dead_queue)
            assert reason_of(dead) == "no such business"
        else:
            await eventually(lambda: applied(database, "run_e"))
    assert len(await applied(database, "run_e")) == (0 if ends_in == "dead" else 1)
    assert await broker.is_empty(SHORT.name, *SHORT.retry_queues, SHORT.dead_queue)


async def test_an_event_without_a_handler_is_dead(database: Database, broker: Broker) -> None:
    await declared(broker)
    started = wire(RunStarted(run_id="run_f", total=1, rejects=0))
    async with broker.channel() as channel:
        await (await channel.get_queue(SHORT.name, ensure=False)).bind(
            "trunkline.outbound", f"*.{RunStarted.name}"
        )
    await broker.publish(started, "outbound")
    async with consuming(database, broker):
        dead = await broker.next_message(SHORT.dead_queue)
    assert "does not handle" in reason_of(dead)
    async with broker.channel() as channel:
        await (await channel.get_queue(SHORT.name, ensure=False)).unbind(
            "trunkline.outbound", f"*.{RunStarted.name}"
        )


async def test_what_nobody_hears_is_seen_in_unrouted(broker: Broker) -> None:
    unheard = wire(progressed("run_g"))
    async with broker.publisher() as publisher:
        message = encode(unheard, "outbound")
        object.__setattr__(message, "routing_key", "biz_1.nobody.hears.v1")
        await publisher.publish(message)
    found = await broker.next_message(UNROUTED_QUEUE)
    assert found.message_id == unheard.event_id


async def test_parking_on_a_missing_queue_raises_instead_of_losing(broker: Broker) -> None:
    message = encode(wire(progressed("run_h")), "outbound")
    lost = Outgoing("", "no.such.queue", message.message, message.name)
    async with broker.publisher() as publisher:
        with pytest.raises(NotTaken, match=r"no queue for no\.such\.queue"):
            await publisher.publish(lost)
        assert not publisher.lost  # a refusal says nothing of the channel


async def test_a_batch_that_cannot_be_written_costs_its_channel(broker: Broker) -> None:
    """What was numbered and not written would have the next messages taken for one another."""
    good = encode(wire(progressed("run_h")), "outbound")
    bad = Outgoing("", "x" * 300, good.message, good.name)
    async with broker.publisher() as publisher:
        with pytest.raises(ValueError, match="300 bytes are too many"):
            await publisher.publish_all([good, bad])
        assert publisher.lost


async def test_without_its_rung_a_message_stays_where_it_is(
    database: Database, broker: Broker
) -> None:
    """Parking fails, so nothing is acknowledged; once the rung is back, the message moves on."""
    await declared(broker)
    rung = SHORT.retry_queues[0]
    async with broker.channel() as channel:
        await channel.queue_delete(rung)

    async def always_later(_session: AsyncSession, _envelope: Envelope[RunProgressed]) -> None:
        raise TryLater("later")

    await broker.publish(wire(progressed("run_i")), "outbound")
    refused = asyncio.Event()
    async with consuming(database, broker, {RunProgressed: always_later}, on_nottaken=refused):
        async with asyncio.timeout(10):
            await refused.wait()
        assert await broker.is_empty(SHORT.dead_queue)
        await declared(broker)
        dead = await broker.next_message(SHORT.dead_queue, within=20)
    assert (dead.headers or {})["x-attempt"] == 3


async def test_publishing_after_the_channel_was_lost_says_so(broker: Broker) -> None:
    message = encode(wire(progressed("run_p")), "outbound")
    object.__setattr__(message, "exchange", "no.such.exchange")
    async with broker.publisher() as publisher:
        with pytest.raises(BrokerLost):
            await publisher.publish(message)
        with pytest.raises(BrokerLost):
            await publisher.publish(message)
