"""A stage for messaging's tests: a business with a WhatsApp number at a sandbox, and a sender."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import aiohttp
from sqlalchemy import text

from trunkline_common.contracts.api import ChannelChanged, MessageRequested, MessageStatusReported
from trunkline_common.contracts.envelope import Envelope, Event
from trunkline_common.contracts.outbound import RunMessageDue
from trunkline_common.db import Database, transaction
from trunkline_common.ids import (
    ATTEMPT,
    BUSINESS,
    CHANNEL,
    CONTACT,
    MESSAGE,
    RUN,
    new_event_id,
    new_id,
)
from trunkline_common.last_byte import open_http
from trunkline_common.loops import Stop
from trunkline_common.sealing import Sealer
from trunkline_messaging import consumer
from trunkline_messaging.folding import fold
from trunkline_messaging.gateways.meta import MetaGateway
from trunkline_messaging.intents import Terms
from trunkline_messaging.send import Sender, SendSettings
from trunkline_messaging.sending import Courier

SEALER = Sealer({"k1": b"k" * 32}, "k1")
HANDLERS = {
    event: handler for table in consumer.HANDLERS.values() for event, handler in table.items()
}


@dataclass
class Scene:
    """One business with one number, on a clean database."""

    database: Database
    sandbox: str
    http: aiohttp.ClientSession
    business_id: str = field(default_factory=lambda: new_id(BUSINESS))
    channel_id: str = field(default_factory=lambda: new_id(CHANNEL))
    run_id: str = field(default_factory=lambda: new_id(RUN))
    account: str = field(default_factory=lambda: str(uuid4().int % 10**15))
    token: str = field(default_factory=lambda: f"token-{uuid4().hex}")

    async def hear(self, event: Event, *, business_id: str | None = None) -> None:
        """Apply an event as the consumer would, in a transaction of its own."""
        envelope = Envelope(
            id=new_event_id(),
            source="/trunkline/test",
            event=event,
            business_id=business_id or self.business_id,
            occurred_at=datetime.now(UTC),
            correlation_id="corr-1",
        )
        async with transaction(self.database) as session:
            await HANDLERS[type(event)](session, envelope)

    async def register(self) -> None:
        """Make the number known to the sandbox; its webhooks go nowhere."""
        number = {
            "phone_number_id": self.account,
            "access_token": self.token,
            "app_secret": "app secret",
        }
        await self.order("/sandbox/meta/numbers", number)

    async def fault(self, kind: str, **order: object) -> None:
        """Order a fault for this number."""
        given = {"kind": kind, "provider": "meta", "account": self.account}
        await self.order("/sandbox/faults", given | order)

    async def order(self, path: str, body: dict[str, Any]) -> None:
        async with self.http.post(f"{self.sandbox}{path}", json=body) as answer:
            assert answer.status == 201, await answer.text()

    async def accepted(self) -> list[dict[str, Any]]:
        """What the sandbox accepted from this number: the witness."""
        url = f"{self.sandbox}/sandbox/log?limit=100000"
        async with self.http.get(url) as answer:
            entries = (await answer.json())["entries"]
        return [
            e for e in entries if e["kind"] == "message_accepted" and e["account"] == self.account
        ]

    async def open_channel(
        self, *, version: int = 1, token: str | None = None, per_second: float = 10_000.0
    ) -> None:
        key_id, sealed = SEALER.seal({"access_token": token or self.token}, self.channel_id)
        await self.hear(
            ChannelChanged(
                channel_id=self.channel_id,
                kind="whatsapp",
                version=version,
                account=self.account,
                senders=("+15550783881",),
                key_id=key_id,
                sealed=sealed,
                per_second=per_second,
            )
        )

    async def run_messages(self, count: int, *, first: int = 0) -> list[str]:
        """Messages of a run; their attempts."""
        attempts = [new_id(ATTEMPT) for _ in range(count)]
        for seq, attempt_id in enumerate(attempts, start=first + 1):
            await self.hand_over(seq, attempt_id)
        return attempts

    async def hand_over(self, seq: int, attempt_id: str) -> None:
        """One job of the run, as outbound hands it over."""
        await self.hear(
            RunMessageDue(
                run_id=self.run_id,
                seq=seq,
                attempt_id=attempt_id,
                channel_id=self.channel_id,
                contact_id=new_id(CONTACT),
                to=f"+1202555{seq:06d}",
                text=f"hello {seq}",
            )
        )

    async def request(self, to: str = "+12025550000", body: str = "hello") -> str:
        """One message outside any run; its id."""
        message_id = new_id(MESSAGE)
        await self.hear(
            MessageRequested(message_id=message_id, channel_id=self.channel_id, to=to, text=body)
        )
        return message_id

    async def report(
        self, status: str, provider_id: str, attempt_id: str | None, **more: object
    ) -> None:
        """Let Meta report a status, through the handler."""
        given = {
            "provider_message_id": provider_id,
            "channel_id": self.channel_id,
            "attempt_id": attempt_id,
            "status": status,
        }
        await self.hear(MessageStatusReported.model_validate(given | more))

    async def fold(self) -> None:
        """Fold everything that may be folded now."""
        while await fold(self.database):
            pass

    async def rows(self, sql: str, **parameters: object) -> Sequence[tuple[Any, ...]]:
        """Look at the tables."""
        async with transaction(self.database) as session:
            return [tuple(row) for row in await session.execute(text(sql), parameters)]

    async def change(self, sql: str, **parameters: object) -> None:
        """Let time pass, or something happen, in the tables."""
        async with transaction(self.database) as session:
            await session.execute(text(sql), parameters)

    async def states(self) -> dict[str, int]:
        """Messages by state."""
        rows = await self.rows("SELECT state, count(*) FROM messages GROUP BY 1")
        return {str(state): int(count) for state, count in rows}

    async def facts(self) -> list[str]:
        """Names of the facts in the outbox, in their order."""
        rows = await self.rows("SELECT name FROM outbox ORDER BY position")
        return [str(name) for (name,) in rows]

    async def open_sends(self) -> int:
        return int((await self.rows("SELECT count(*) FROM open_sends"))[0][0])


@asynccontextmanager
async def sending(
    scene: Scene,
    *,
    owner: str = "worker-1",
    concurrency: int = 50,
    answer_within: float = 1.0,
    deadline: float = 10.0,
) -> AsyncIterator[Stop]:
    """A sender at work while the block runs; at its end everything in flight is written down."""
    stop = Stop()
    async with open_http(concurrency, total=answer_within, read=answer_within) as http:
        courier = Courier(MetaGateway(http, f"{scene.sandbox}/v23.0"), sealer=SEALER)
        terms = Terms(owner=owner, lease=30.0, deadline=deadline)
        settings = SendSettings(terms, concurrency=concurrency, idle=0.1)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(Sender(scene.database, courier, settings).run(stop))
            try:
                yield stop
            finally:
                stop.set()
