"""What the fabric is measured against: the same messages by plain aio-pika, with no guarantee.

`publish` sends the wire form of so many events with pipelined confirms; `consume` takes so many
and acknowledges each, with an empty handler. The figures go to standard output as JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from datetime import UTC, datetime

import aio_pika
import uvloop
from aio_pika.abc import AbstractIncomingMessage
from tests.benchmarks.stage import usage

from trunkline_common.broker.envelope import Outgoing, Wire, encode
from trunkline_common.contracts.api import CallStatusReported
from trunkline_common.ids import new_event_id

SECONDS = 120.0
PIPELINE = 500  # as many unconfirmed at a time as the relay has
PREFETCH = 200  # as outbound.callbacks has
BUSINESS = "biz_00000000000000000000000000"


def event(number: int) -> CallStatusReported:
    """A fact of the size that callbacks have."""
    return CallStatusReported(
        provider_call_id=f"CA{number:032x}",
        account="AC" + "0" * 32,
        channel_id="chn_00000000000000000000000000",
        attempt_id=f"att_{number:026d}",
        status="ringing",
        sequence_number=1,
        reported_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


def message(number: int) -> Outgoing:
    """The message that the relay would make of it."""
    fact = event(number)
    wire = Wire(
        event_id=new_event_id(),
        business_id=BUSINESS,
        name=fact.name,
        subject=fact.subject,
        payload=fact.model_dump_json(),
        correlation_id="benchmark",
        causation_id=None,
        sequence=None,
        traceparent=None,
        tracestate=None,
        occurred_at=datetime.now(UTC),
    )
    return encode(wire, "api")


def plain(made: Outgoing) -> aio_pika.Message:
    """The same as a message of aio-pika's own."""
    said = made.message.properties
    return aio_pika.Message(
        made.message.body,
        content_type=said.content_type,
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        message_id=said.message_id,
        type=said.message_type,
        correlation_id=said.correlation_id,
        timestamp=said.timestamp,
        app_id=said.app_id,
        headers=dict(made.message.headers),
    )


async def publish(channel: aio_pika.abc.AbstractChannel, options: argparse.Namespace) -> float:
    """Publish with so many unconfirmed at a time; the seconds it took."""
    messages = [message(number) for number in range(options.events)]
    exchange = await channel.get_exchange(messages[0].exchange, ensure=False)
    todo = iter([(plain(made), made.routing_key) for made in messages])

    async def go() -> None:
        for made, key in todo:
            await exchange.publish(made, key, timeout=SECONDS)

    began = time.monotonic()
    async with asyncio.TaskGroup() as tasks:
        for _ in range(PIPELINE):
            tasks.create_task(go())
    return time.monotonic() - began


async def consume(channel: aio_pika.abc.AbstractChannel, options: argparse.Namespace) -> float:
    """Take and acknowledge; the seconds from the first delivery to the last acknowledgement."""
    await channel.set_qos(prefetch_count=PREFETCH)
    queue = await channel.get_queue(options.queue, ensure=False)
    over = asyncio.Event()
    taken = 0
    began = 0.0

    async def take(delivered: AbstractIncomingMessage) -> None:
        nonlocal taken, began
        began = began or time.monotonic()
        await delivered.ack()
        taken += 1
        if taken == options.events:
            over.set()

    await queue.consume(take)
    async with asyncio.timeout(SECONDS):
        await over.wait()
    return time.monotonic() - began


async def _measure(options: argparse.Namespace) -> None:
    connection = await aio_pika.connect(options.broker, timeout=SECONDS)
    async with connection:
        channel = await connection.channel(publisher_confirms=options.way == "publish")
        before = usage("self").cpu_seconds
        took = await {"publish": publish, "consume": consume}[options.way](channel, options)
        used = usage("self").cpu_seconds - before
    sys.stdout.write(json.dumps({"seconds": took, "cpu_seconds": used}) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("way", choices=["publish", "consume"])
    parser.add_argument("--broker", required=True)
    parser.add_argument("--queue", required=True)
    parser.add_argument("--events", type=int, required=True)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_measure(parser.parse_args()))
