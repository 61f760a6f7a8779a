"""A stage for recordings' tests: a business with a voice account, a folder, and a fetcher."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from sqlalchemy import text
from tests.integration.recordings.provider import ACCOUNT, TOKEN, AudioProvider

from trunkline_common.contracts.api import ChannelChanged, RecordingReported
from trunkline_common.contracts.envelope import Envelope, Event
from trunkline_common.db import Database, transaction
from trunkline_common.ids import ATTEMPT, BUSINESS, CHANNEL, new_event_id, new_id
from trunkline_common.last_byte import open_http
from trunkline_common.loops import Stop
from trunkline_common.sealing import Sealer
from trunkline_recordings import consumer
from trunkline_recordings.fetch import Fetcher, FetchSettings
from trunkline_recordings.gateways.twilio import TwilioGateway
from trunkline_recordings.storage.folder import FolderStore
from trunkline_recordings.storage.port import RecordingStore
from trunkline_recordings.transfer import Transfer

SEALER = Sealer({"k1": b"k" * 32}, "k1")
HANDLERS = {
    event: handler for table in consumer.HANDLERS.values() for event, handler in table.items()
}


@dataclass
class Scene:
    """One business with one voice account, on a clean database."""

    database: Database
    provider: AudioProvider
    folder: Path
    business_id: str = field(default_factory=lambda: new_id(BUSINESS))
    channel_id: str = field(default_factory=lambda: new_id(CHANNEL))

    async def hear(self, event: Event) -> None:
        """Apply an event as the consumer would, in a transaction of its own."""
        envelope = Envelope(
            id=new_event_id(),
            source="/trunkline/test",
            event=event,
            business_id=self.business_id,
            occurred_at=datetime.now(UTC),
            correlation_id="corr-1",
        )
        async with transaction(self.database) as session:
            await HANDLERS[type(event)](session, envelope)

    async def open_channel(
        self, *, version: int = 1, token: str = TOKEN, account: str = ACCOUNT
    ) -> None:
        key_id, sealed = SEALER.seal({"auth_token": token}, self.channel_id)
        await self.hear(
            ChannelChanged(
                channel_id=self.channel_id,
                kind="voice",
                version=version,
                account=account,
                senders=("+15005550006",),
                key_id=key_id,
                sealed=sealed,
            )
        )

    async def report(self, sid: str | None = None, **changes: object) -> str:
        """Let Twilio report a recording; its sid."""
        given: dict[str, object] = {
            "provider_recording_id": sid or f"RE{uuid4().hex}",
            "provider_call_id": f"CA{uuid4().hex}",
            "account": ACCOUNT,
            "channel_id": self.channel_id,
            "attempt_id": new_id(ATTEMPT),
            "status": "completed",
            "duration": 30,
        }
        event = RecordingReported.model_validate(given | changes)
        await self.hear(event)
        return event.provider_recording_id

    async def due_now(self) -> None:
        """Let the back-off be over."""
        await self.change("UPDATE recordings SET due_at = clock_timestamp() WHERE state = 'due';")

    async def rows(self, sql: str, **parameters: object) -> Sequence[tuple[Any, ...]]:
        """Look at the tables."""
        async with transaction(self.database) as session:
            return [tuple(row) for row in await session.execute(text(sql), parameters)]

    async def change(self, sql: str, **parameters: object) -> None:
        async with transaction(self.database) as session:
            await session.execute(text(sql), parameters)

    async def states(self) -> dict[str, int]:
        """Recordings by state."""
        rows = await self.rows("SELECT state, count(*) FROM recordings GROUP BY 1")
        return {str(state): int(count) for state, count in rows}

    async def facts(self) -> list[str]:
        """Names of the facts in the outbox, in their order."""
        return [str(n) for (n,) in await self.rows("SELECT name FROM outbox ORDER BY position")]

    def files(self) -> list[Path]:
        """Everything that lies in the folder, half-written files too."""
        return [path for path in self.folder.rglob("*") if path.is_file()]


@asynccontextmanager
async def fetching(
    scene: Scene,
    *,
    storage: RecordingStore | None = None,
    max_bytes: int = 10_000_000,
    patience: float = 0.0,
    **settings: Any,
) -> AsyncIterator[Stop]:
    """A fetcher at work while the block runs."""
    stop = Stop()
    async with open_http(8, total=20, read=2) as http:
        gateway = TwilioGateway(
            http, scene.provider.url, media_hosts=["127.0.0.2"], patience=patience
        )
        transfer = Transfer(gateway, storage or FolderStore(scene.folder), SEALER, max_bytes)
        chosen = FetchSettings(**{"owner": "worker-1", "idle": 0.1, **settings})
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(Fetcher(scene.database, transfer, chosen).run(stop))
            try:
                yield stop
            finally:
                stop.set()
