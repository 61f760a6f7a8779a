"""Processes that every service has: it serves, it consumes, it relays, it prunes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from trunkline_common.broker import Handlers, consume_queues, relay_outbox
from trunkline_common.db import inbox, outbox, transaction
from trunkline_common.loops import work_loop
from trunkline_common.processes.runtime import Process, Runtime
from trunkline_common.topology import Queue

SERVE: Final = "serve"
PRUNE_SECONDS: Final = 30.0


def serve() -> Process[Any]:
    """Answers requests: the HTTP server is there anyway, this adds the service's routes to it."""

    async def run(runtime: Runtime[Any]) -> None:
        await runtime.stop.wait()

    return Process(SERVE, "answer requests", run, role="api")


def consume(handlers: Mapping[Queue, Handlers]) -> Process[Any]:
    """Applies what other services say."""

    async def run(runtime: Runtime[Any]) -> None:
        await consume_queues(
            handlers, runtime.database, runtime.broker_url, runtime.service, runtime.stop
        )

    lanes = ", ".join(queue.name for queue in handlers)
    return Process("consume", f"apply what others say ({lanes})", run, needs_broker=True)


def relay() -> Process[Any]:
    """Publishes what this service says."""

    async def run(runtime: Runtime[Any]) -> None:
        await relay_outbox(runtime.database, runtime.broker_url, runtime.service, runtime.stop)

    return Process("relay", "publish the outbox", run, needs_broker=True)


async def prune(runtime: Runtime[Any]) -> None:
    """Delete inbox and outbox rows that are past their time; a part of each `schedule`."""
    database = runtime.database

    async def prune_inbox() -> bool:
        async with transaction(database) as session:
            return await inbox.prune(session) > 0

    async def prune_outbox() -> bool:
        async with transaction(database) as session:
            return await outbox.prune(session) > 0

    async with asyncio.TaskGroup() as tasks:
        for name, tick in (("prune.inbox", prune_inbox), ("prune.outbox", prune_outbox)):
            tasks.create_task(
                work_loop(name, tick, stop=runtime.stop, idle=PRUNE_SECONDS), name=name
            )
