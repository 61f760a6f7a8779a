"""How recordings is put together: the parts of each process, opened in order, closed in reverse."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import Final

from trunkline_common.db import transaction
from trunkline_common.last_byte import open_http
from trunkline_common.loops import work_loop
from trunkline_common.processes import Process, Runtime, Service, consume, prune, relay, serve
from trunkline_common.sealing import parse_keys
from trunkline_recordings.consumer import HANDLERS
from trunkline_recordings.facts import publish_ends
from trunkline_recordings.fetch import Fetcher, FetchSettings
from trunkline_recordings.gateways.twilio import TwilioGateway
from trunkline_recordings.settings import RecordingsSettings
from trunkline_recordings.storage.choice import Bucket, open_storage
from trunkline_recordings.storage.port import RecordingStore
from trunkline_recordings.store.recordings import fail_homeless
from trunkline_recordings.transfer import Transfer

_SWEEP_SECONDS: Final = 30.0
_TIDY_SECONDS: Final = 3600.0


async def fetch(runtime: Runtime[RecordingsSettings]) -> None:
    """Bring due recordings into our storage, until stopped."""
    settings = runtime.settings
    async with open_http(
        settings.fetch_concurrency, total=settings.fetch_deadline, read=settings.read_timeout
    ) as session:
        gateway = TwilioGateway(
            session,
            settings.twilio_base_url,
            media_hosts=[host.strip() for host in settings.media_hosts.split(",")],
        )
        transfer = Transfer(
            gateway=gateway,
            storage=_storage(settings),
            sealer=parse_keys(settings.sealing_keys),
            max_bytes=settings.max_bytes,
        )
        fetcher = Fetcher(
            runtime.database,
            transfer,
            FetchSettings(
                owner=f"{socket.gethostname()}:{os.getpid()}:{os.urandom(4).hex()}",
                lease=settings.lease,
                renew_every=settings.renew_every,
                concurrency=settings.fetch_concurrency,
                max_tries=settings.max_tries,
                deadline=settings.fetch_deadline,
            ),
        )
        await fetcher.run(runtime.stop)


def _storage(settings: RecordingsSettings) -> RecordingStore:
    return open_storage(
        settings.storage_url,
        Bucket(
            endpoint=settings.storage_endpoint,
            region=settings.storage_region,
            access_key=settings.storage_access_key,
            secret_key=settings.storage_secret_key,
            spool=settings.spool_dir,
        ),
    )


async def schedule(runtime: Runtime[RecordingsSettings]) -> None:
    """Give up on what can never be fetched, tidy the storage, prune what is past its time."""
    storage = _storage(runtime.settings)

    async def homeless() -> bool:
        async with transaction(runtime.database) as session:
            kept = await fail_homeless(
                session,
                patience=runtime.settings.channel_patience,
                reason="no such voice channel",
            )
            await publish_ends(session, kept)
        return bool(kept)

    async def tidy() -> bool:
        await storage.tidy()
        return False

    async with asyncio.TaskGroup() as tasks:
        for name, tick, idle in (
            ("recordings.homeless", homeless, _SWEEP_SECONDS),
            ("recordings.tidy", tidy, _TIDY_SECONDS),
        ):
            tasks.create_task(work_loop(name, tick, stop=runtime.stop, idle=idle), name=name)
        tasks.create_task(prune(runtime), name="prune")


SERVICE: Final = Service(
    name="recordings",
    description="Fetches the recordings of calls and keeps them, verified, in our own storage.",
    settings=RecordingsSettings,
    migrations="trunkline_recordings.migrations",
    processes=(
        serve(),
        consume(HANDLERS),
        relay(),
        Process("fetch", "bring recordings into our storage", fetch),
        Process("schedule", "give up, tidy, prune", schedule, scheduler=True),
    ),
)
