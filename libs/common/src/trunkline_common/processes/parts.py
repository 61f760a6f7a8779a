"""Processes that every service has: it serves, it consumes, it relays, it prunes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, Final

from trunkline_common.broker import BrokerLost, Handlers, consume_queues, relay_outbox, verify
from trunkline_common.db import inbox, outbox, transaction
from trunkline_common.loops import backoff, work_loop
from trunkline_common.processes.runtime import Process, Runtime
from trunkline_common.topology import Queue

log = logging.getLogger(__name__)

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
        if await _verified(runtime, tuple(handlers)):
            await consume_queues(
                handlers, runtime.database, runtime.broker_url, runtime.service, runtime.stop
            )

    lanes = ", ".join(queue.name for queue in handlers)
    return Process("consume", f"apply what others say ({lanes})", run, needs_broker=True)


async def _verified(runtime: Runtime[Any], queues: tuple[Queue, ...]) -> bool:
    """True once the broker has what topology says; `Drift` if it differs; False at the end."""
    failures = 0
    while not runtime.stop.is_set():
        try:
            await verify(runtime.broker_url, runtime.service, queues)
        except BrokerLost as error:
            failures += 1
            log.warning("topology.not_verified", extra={"error": str(error)})
            await runtime.stop.wait(backoff(failures))
        else:
            return True
    return False


def relay() -> Process[Any]:
    """Publishes what this service says."""

    async def run(runtime: Runtime[Any]) -> None:
        await relay_outbox(
            runtime.database,
            runtime.broker_url,
            runtime.service,
            runtime.stop,
            lease=runtime.settings.relay_lease,
        )

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
