"""Events on Taskiq with taskiq-aio-pika: acknowledged once they are done.

https://taskiq-python.github.io/available-components/brokers.html
"""

from __future__ import annotations

import asyncio
from typing import Any

import events
from taskiq import TaskiqEvents, TaskiqState
from taskiq_aio_pika import AioPikaBroker

broker = AioPikaBroker(events.BROKER, qos=events.PREFETCH)
_effect = events.AsyncEffect()


@broker.on_event(TaskiqEvents.WORKER_STARTUP)
async def _open(_: TaskiqState) -> None:
    await _effect.open()


@broker.task(task_name="hear")
async def hear(said: dict[str, Any]) -> None:
    """One event."""
    await _effect.of(said)


async def _fill() -> None:
    await broker.startup()
    todo = iter(range(events.EVENTS))

    async def send() -> None:
        for number in todo:
            await hear.kiq(events.event(number))

    async with asyncio.TaskGroup() as tasks:
        for _ in range(50):
            tasks.create_task(send())
    await broker.shutdown()


if __name__ == "__main__":
    asyncio.run(_fill())
