"""The job on FastStream with RabbitMQ: as many at once as are fetched ahead.

https://faststream.ag2.ai/latest/rabbit/
"""

from __future__ import annotations

import asyncio

import work
from faststream import FastStream
from faststream.rabbit import Channel, RabbitBroker, RabbitQueue

broker = RabbitBroker(work.BROKER, logger=None)
app = FastStream(broker)
_calls = RabbitQueue("faststream.calls", durable=True)
_work = work.AsyncWork()


@app.on_startup
async def _open() -> None:
    await _work.open()


@broker.subscriber(_calls, channel=Channel(prefetch_count=work.IN_FLIGHT))
async def call(seq: int, address: str) -> None:
    """One contact."""
    await _work.do(seq, address)


async def _fill() -> None:
    await broker.connect()
    await broker.declare_queue(_calls)
    todo = iter(work.contacts())

    async def send() -> None:
        for seq, address in todo:
            await broker.publish({"seq": seq, "address": address}, queue=_calls, persist=True)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(50):
            tasks.create_task(send())
    await broker.stop()


if __name__ == "__main__":
    asyncio.run(_fill())
