"""How messaging is put together: the parts of each process, opened in order, closed in reverse."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import Final

from trunkline_common.db import Database
from trunkline_common.last_byte import open_http
from trunkline_common.loops import Stop, work_loop
from trunkline_common.processes import Process, Runtime, Service, consume, prune, relay, serve
from trunkline_common.sealing import parse_keys
from trunkline_messaging.consumer import HANDLERS
from trunkline_messaging.folding import fold
from trunkline_messaging.gateways.meta import MetaGateway
from trunkline_messaging.horizons import close_doubtful, doubt_lost, fail_homeless
from trunkline_messaging.intents import Terms
from trunkline_messaging.send import Sender, SendSettings
from trunkline_messaging.sending import Courier
from trunkline_messaging.settings import MessagingSettings
from trunkline_messaging.store.statuses import FOLD

_CONNECT_SECONDS: Final = 3.0


async def send(runtime: Runtime[MessagingSettings]) -> None:
    """Send what is due, and fold what the provider said of it."""
    settings = runtime.settings
    terms = Terms(
        owner=f"{socket.gethostname()}:{os.getpid()}:{os.urandom(4).hex()}",
        lease=settings.lease,
        deadline=settings.send_deadline,
    )
    async with open_http(
        settings.send_concurrency,
        total=settings.send_deadline + settings.answer_timeout,
        connect=_CONNECT_SECONDS,
        read=settings.answer_timeout,
    ) as session:
        sender = Sender(
            runtime.database,
            Courier(
                MetaGateway(session, settings.meta_base_url),
                sealer=parse_keys(settings.sealing_keys),
            ),
            SendSettings(
                terms, concurrency=settings.send_concurrency, micro_batch=settings.micro_batch
            ),
        )
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(sender.run(runtime.stop), name="sender")
            tasks.create_task(
                folding(runtime.database, runtime.stop, every=settings.sweep_every), name="fold"
            )
            tasks.create_task(
                taking_over(runtime.database, runtime.stop, every=settings.sweep_every),
                name="take-over",
            )


async def folding(database: Database, stop: Stop, *, every: float) -> None:
    """Fold statuses as they come; those that wait for their message are looked at again."""
    await work_loop(
        "messaging.fold",
        lambda: fold(database),
        stop=stop,
        flag=database.waker.flag(FOLD),
        idle=min(every, 1.0),
    )


async def taking_over(database: Database, stop: Stop, *, every: float) -> None:
    """Find what lost senders left behind; any number of workers may look."""
    await work_loop("messaging.take_over", lambda: doubt_lost(database), stop=stop, idle=every)


async def close_silent(database: Database, settings: MessagingSettings) -> bool:
    """One pass over everything that has been silent for too long; whether there was any."""
    closed = await close_doubtful(database, horizon=settings.in_doubt_horizon)
    failed = await fail_homeless(database, patience=settings.channel_patience)
    return closed or failed


async def schedule(runtime: Runtime[MessagingSettings]) -> None:
    """End what has been silent for too long, and prune what is past its time."""
    settings = runtime.settings

    async def silent() -> bool:
        return await close_silent(runtime.database, settings)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(
            work_loop("messaging.silent", silent, stop=runtime.stop, idle=settings.sweep_every),
            name="silent",
        )
        tasks.create_task(prune(runtime), name="prune")


SERVICE: Final = Service(
    name="messaging",
    description="Sends WhatsApp texts, each at most once, and follows their delivery.",
    settings=MessagingSettings,
    migrations="trunkline_messaging.migrations",
    processes=(
        serve(),
        consume(HANDLERS),
        relay(),
        Process("send", "send what is due, fold what the provider says of it", send),
        Process("schedule", "end what stays silent, prune old rows", schedule, scheduler=True),
    ),
)
