"""Events on FastStream with RabbitMQ: a subscriber with as many fetched ahead as Trunkline has.

https://faststream.ag2.ai/latest/rabbit/
"""

from __future__ import annotations

import asyncio
from typing import Any

import events
from faststream import FastStream
from faststream.rabbit import Channel, RabbitBroker, RabbitQueue

broker = RabbitBroker(events.BROKER, logger=None)
app = FastStream(broker)
_queue = RabbitQueue("faststream.events", durable=True)
_effect = events.AsyncEffect()


@app.on_startup
async def _open() -> None:
    await _effect.open()


@broker.subscriber(_queue, channel=Channel(prefetch_count=events.PREFETCH))
async def hear(said: dict[str, Any]) -> None:
    """One event."""
    await _effect.of(said)


async def _fill() -> None:
    await broker.connect()
    await broker.declare_queue(_queue)
    todo = iter(range(events.EVENTS))

    async def send() -> None:
        for number in todo:
            await broker.publish(events.event(number), queue=_queue, persist=True)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(50):
            tasks.create_task(send())
    await broker.stop()


if __name__ == "__main__":
    asyncio.run(_fill())
