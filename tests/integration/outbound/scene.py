"""A stage for outbound's tests: a business, a channel and runs, brought in as events would."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

from sqlalchemy import text

from trunkline_common.contracts.api import (
    AudienceContact,
    CallStatusReported,
    ChannelChanged,
    RunAudienceAdded,
    RunAudienceClosed,
    RunContent,
    RunPolicy,
    RunRequested,
)
from trunkline_common.contracts.envelope import Envelope, Event
from trunkline_common.contracts.limits import NumberCaps
from trunkline_common.db import Database, transaction
from trunkline_common.ids import BUSINESS, CHANNEL, CONTACT, RUN, new_event_id, new_id
from trunkline_common.sealing import Sealer
from trunkline_outbound import consumer
from trunkline_outbound.dispatch import Dispatcher, DispatchSettings
from trunkline_outbound.domain.classification import Result
from trunkline_outbound.gateways.voice import CallOrder
from trunkline_outbound.sending import CallSender

E = TypeVar("E", bound=Event)

ACCOUNT = "AC" + "0" * 32
SEALER = Sealer({"k1": b"k" * 32}, "k1")
HANDLERS = {
    event: handler for table in consumer.HANDLERS.values() for event, handler in table.items()
}


@dataclass
class FakeVoice:
    """A voice provider that answers as told, and remembers what it accepted."""

    answer: Callable[[CallOrder], Result] = lambda _order: Result("accepted")
    accepted: list[CallOrder] = field(default_factory=list)
    asked: int = 0
    gate: asyncio.Event | None = None
    waiting: list[Callable[[], bool]] = field(default_factory=list)
    breaks: Exception | None = None  # raised before the last byte is asked for

    async def place_call(self, order: CallOrder, may_send: Callable[[], bool]) -> Result:
        if self.breaks is not None:
            raise self.breaks
        if self.gate is not None:
            self.waiting.append(may_send)
            await self.gate.wait()
        if not may_send():
            return Result("not_sent", reason="withheld")
        self.asked += 1
        result = self.answer(order)
        if result.kind != "accepted":
            return result
        self.accepted.append(order)
        return Result("accepted", provider_id=f"CA{len(self.accepted):032x}")

    @property
    def dialled(self) -> list[str]:
        return [order.to_number for order in self.accepted]


@dataclass
class Scene:
    """One business with one channel on a clean database."""

    database: Database
    business_id: str = field(default_factory=lambda: new_id(BUSINESS))
    channel_id: str = field(default_factory=lambda: new_id(CHANNEL))
    kind: str = "voice"
    per_second: float = 10_000.0
    concurrent: int = 1_000
    account: str = ACCOUNT
    senders: tuple[str, ...] = ("+15005550006",)
    per_number: NumberCaps | None = None
    zone: str | None = None  # of its contacts
    sealer: Sealer = SEALER  # what the dispatcher opens credentials with

    def envelope(self, event: E, *, business_id: str | None = None) -> Envelope[E]:
        """The event as it arrives."""
        return Envelope(
            id=new_event_id(),
            source="/trunkline/test",
            event=event,
            business_id=business_id or self.business_id,
            occurred_at=datetime.now(UTC),
            correlation_id="corr-1",
        )

    async def hear(self, event: Event, *, business_id: str | None = None) -> None:
        """Apply an event as the consumer would, in a transaction of its own."""
        envelope = self.envelope(event, business_id=business_id)
        async with transaction(self.database) as session:
            await HANDLERS[type(event)](session, envelope)

    async def open_channel(self, *, version: int = 1, enabled: bool = True) -> None:
        key_id, sealed = SEALER.seal({"auth_token": "secret"}, self.channel_id)
        await self.hear(
            ChannelChanged(
                channel_id=self.channel_id,
                kind="voice" if self.kind == "voice" else "whatsapp",
                version=version,
                account=self.account,
                senders=self.senders,
                per_number=self.per_number,
                key_id=key_id,
                sealed=sealed,
                per_second=self.per_second,
                concurrent=self.concurrent,
                enabled=enabled,
            )
        )

    def requested(self, run_id: str, **policy: object) -> RunRequested:
        return RunRequested(
            run_id=run_id,
            display_name="test",
            channel="voice" if self.kind == "voice" else "whatsapp",
            channel_id=self.channel_id,
            content=RunContent(script="hello", text="hello"),
            policy=RunPolicy.model_validate(policy),
        )

    async def start_run(self, jobs: int, *, chunk: int = 500, **policy: object) -> str:
        """Request a run and feed its audience; it is running when this returns."""
        run_id = new_id(RUN)
        await self.hear(self.requested(run_id, **policy))
        contacts = contacts_of(addresses(jobs), self.zone)
        chunks = [contacts[i : i + chunk] for i in range(0, jobs, chunk)]
        for number, part in enumerate(chunks, start=1):
            await self.hear(RunAudienceAdded(run_id=run_id, chunk=number, contacts=tuple(part)))
        await self.hear(RunAudienceClosed(run_id=run_id, chunks=len(chunks), contacts=jobs))
        return run_id

    def dispatcher(self, voice: FakeVoice, **settings: object) -> Dispatcher:
        sender = CallSender(
            voice, sealer=self.sealer, callback_base="http://api.test", callback_secret="secret"
        )
        fields: dict[str, object] = {"owner": new_id("worker"), "idle": 0.05} | settings
        return Dispatcher(self.database, sender, DispatchSettings(**fields))  # type: ignore[arg-type]  # test settings by name

    async def rows(self, sql: str, **parameters: object) -> Sequence[tuple[object, ...]]:
        """Look at the tables."""
        async with transaction(self.database) as session:
            return [tuple(row) for row in await session.execute(text(sql), parameters)]

    async def value(self, sql: str, **parameters: object) -> object:
        """The first column of the first row."""
        rows = await self.rows(sql, **parameters)
        return rows[0][0] if rows else None

    async def states(self, run_id: str) -> dict[str, int]:
        """Jobs by state."""
        rows = await self.rows(
            "SELECT state, count(*) FROM jobs WHERE run_id = :r GROUP BY 1", r=run_id
        )
        return {str(state): int(str(count)) for state, count in rows}

    async def report(self, attempt_id: str, provider_id: str, status: str, **more: object) -> None:
        """Let the provider report a status, through the handler."""
        await self.hear(
            CallStatusReported.model_validate(
                {
                    "provider_call_id": provider_id,
                    "account": self.account,
                    "channel_id": self.channel_id,
                    "attempt_id": attempt_id,
                    "status": status,
                }
                | more
            )
        )


def addresses(count: int) -> list[str]:
    """Numbers of the range that is reserved for fiction."""
    return [f"+1202555{number:06d}" for number in range(count)]


def contacts_of(numbers: Iterable[str], zone: str | None = None) -> list[AudienceContact]:
    """A contact for each number."""
    return [
        AudienceContact(contact_id=new_id(CONTACT), address=number, zone=zone) for number in numbers
    ]
