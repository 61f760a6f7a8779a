"""The job on Taskiq with taskiq-aio-pika: acknowledged once it is executed.

https://taskiq-python.github.io/available-components/brokers.html
"""

from __future__ import annotations

import asyncio

import work
from taskiq import TaskiqEvents, TaskiqState
from taskiq_aio_pika import AioPikaBroker

broker = AioPikaBroker(work.BROKER, qos=work.IN_FLIGHT)
_work = work.AsyncWork()


@broker.on_event(TaskiqEvents.WORKER_STARTUP)
async def _open(_: TaskiqState) -> None:
    await _work.open()


@broker.task(task_name="call")
async def call(seq: int, address: str) -> None:
    """One contact."""
    await _work.do(seq, address)


async def _fill() -> None:
    await broker.startup()
    todo = iter(work.contacts())

    async def send() -> None:
        for contact in todo:
            await call.kiq(*contact)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(50):
            tasks.create_task(send())
    await broker.shutdown()


if __name__ == "__main__":
    asyncio.run(_fill())
