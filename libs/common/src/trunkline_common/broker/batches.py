"""One batch of deliveries and one transaction: what became of each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from aio_pika.abc import AbstractIncomingMessage
from opentelemetry.trace import Link, SpanKind, get_current_span
from prometheus_client import Histogram
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_common.contracts.envelope import Envelope, Event
from trunkline_common.db import inbox
from trunkline_common.db.engine import Database
from trunkline_common.db.faults import is_away, is_contention
from trunkline_common.db.transaction import transaction
from trunkline_common.outcomes import Refuse, TrunklineError, TryLater
from trunkline_common.telemetry.correlation import correlated
from trunkline_common.telemetry.traces import CORRELATION, context_of, current_span
from trunkline_common.topology import Queue, exchange_of, owner_of

Handler = Callable[[AsyncSession, Envelope[Any]], Awaitable[None]]
Handlers = Mapping[type[Event], Handler]

HANDLER_SECONDS: Final = 20.0  # below the statement's deadline, far below the broker's

SECONDS = Histogram(
    "trunkline_handler_seconds",
    "Time one handler took",
    ["queue", "event"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5, 20),
)


class DatabaseAway(TrunklineError):
    """The database cannot be reached: no message's fault, and no attempt of any is spent."""


class _Contended(Exception):
    """Others hold what the batch needs, in another order: work it singly."""


class _TooSlow(Exception):
    """A handler went over its time; its transaction is lost with it."""

    def __init__(self, slow: Delivery) -> None:
        super().__init__()
        self.slow = slow


@dataclass(slots=True)
class Delivery:
    """One delivery and what is known of it. `error` is what `settle` will be asked about."""

    message: AbstractIncomingMessage
    envelope: Envelope[Event] | None = None
    error: Exception | None = None
    duplicate: bool = field(default=False)


class Batches:
    """Applies deliveries of one queue: each effect once, in as few transactions as can be."""

    def __init__(
        self,
        queue: Queue,
        handlers: Handlers,
        database: Database,
        *,
        handler_seconds: float = HANDLER_SECONDS,
    ) -> None:
        self._queue = queue
        self._handlers = handlers
        self._database = database
        self._limit = handler_seconds

    async def apply(self, batch: Sequence[Delivery]) -> None:
        """Set each delivery's `error`, or leave it None. Raises only `DatabaseAway`."""
        work = [delivery for delivery in batch if self._has_handler(delivery)]
        work.sort(key=_order)  # one order for all: batches that lock the same rows queue up
        try:
            await self._apply_together(work)
        except _Contended:
            for delivery in work:
                await self._apply_singly(delivery)

    def _has_handler(self, delivery: Delivery) -> bool:
        if delivery.error is not None or delivery.envelope is None:
            return False
        if type(delivery.envelope.event) not in self._handlers:
            delivery.error = Refuse(f"{self._queue.name} does not handle this event")
            return False
        return True

    async def _apply_together(self, work: list[Delivery]) -> None:
        """Without savepoints first, for most batches have no failure; else again with them."""
        if not work:
            return
        try:
            if await self._transact(work, savepoints=False):
                return
            await self._transact(work, savepoints=True)
        except _TooSlow as error:
            error.slow.error = TryLater(f"the handler took longer than {self._limit:g} s")
            await self._apply_together([d for d in work if d is not error.slow])

    async def _apply_singly(self, delivery: Delivery) -> None:
        try:
            await self._apply_together([delivery])
        except _Contended:
            delivery.error = TryLater("the rows it needs are locked")

    async def _transact(self, work: list[Delivery], *, savepoints: bool) -> bool:
        """Whether the transaction was committed; without savepoints a failure takes it back."""
        for delivery in work:
            delivery.error = None
        try:
            async with transaction(self._database) as session:
                await self._fill(session, work, savepoints=savepoints)
        except (_Contended, _TooSlow, DatabaseAway):
            raise
        except _TakenBack:
            return len(work) == 1  # alone, it needs no savepoint: nothing else was taken back
        except Exception as error:  # of the transaction itself, not of a handler
            if is_away(error) or isinstance(error, TimeoutError):
                raise DatabaseAway(f"{type(error).__name__}") from error
            if is_contention(error):
                raise _Contended from error
            if len(work) > 1:
                raise _Contended from error  # one of them made the commit fail: find it
            work[0].error = error
        return True

    async def _fill(self, session: AsyncSession, work: list[Delivery], *, savepoints: bool) -> None:
        ids = {_id(delivery): delivery for delivery in reversed(work)}  # the first of two copies
        fresh = await inbox.enter(session, self._queue.name, list(ids))
        failed: list[str] = []
        for delivery in work:
            event_id = _id(delivery)
            delivery.duplicate = event_id not in fresh or ids[event_id] is not delivery
            if delivery.duplicate:
                continue  # a second copy in one batch is acked: the first carries on for both
            if not savepoints:
                await self._handle(session, delivery)
                if delivery.error is not None:
                    raise _TakenBack
                continue
            savepoint = await session.begin_nested()
            await self._handle(session, delivery)
            if delivery.error is None:
                await savepoint.commit()
            else:
                await savepoint.rollback()
                failed.append(event_id)
        await inbox.leave(session, self._queue.name, failed)

    async def _handle(self, session: AsyncSession, delivery: Delivery) -> None:
        """Run the handler; its error becomes the delivery's, unless it is the database's."""
        envelope = delivery.envelope
        assert envelope is not None  # noqa: S101 - `_has_handler` looked
        handler = self._handlers[type(envelope.event)]
        began = time.perf_counter()
        limit = asyncio.timeout(self._limit)
        try:
            with correlated(envelope.correlation_id), _process_span(self._queue, envelope):
                async with limit:
                    await handler(session, envelope)
        except Exception as error:  # the one that feeds `settle`
            if isinstance(error, TimeoutError) and limit.expired():
                await session.invalidate()  # a statement was cut off: nobody may use it again
                raise _TooSlow(delivery) from error
            if is_away(error):
                raise DatabaseAway(type(error).__name__) from error
            if is_contention(error):
                raise _Contended from error
            delivery.error = error
        finally:
            SECONDS.labels(self._queue.name, envelope.event.name).observe(
                time.perf_counter() - began
            )


class _TakenBack(Exception):
    """A handler failed in a transaction without savepoints."""


def _id(delivery: Delivery) -> str:
    assert delivery.envelope is not None  # noqa: S101 - only decoded deliveries come here
    return delivery.envelope.id


def _order(delivery: Delivery) -> tuple[str, int, str]:
    envelope = delivery.envelope
    assert envelope is not None  # noqa: S101 - as above
    return envelope.event.subject, envelope.sequence or 0, envelope.id


def _process_span(queue: Queue, envelope: Envelope[Event]) -> Any:
    """The CONSUMER span of one message: child of the publish, so that one call is one trace."""
    parent = context_of(envelope.traceparent, envelope.tracestate)
    source = get_current_span(parent).get_span_context()
    destination = f"{exchange_of(owner_of(type(envelope.event)))}:{envelope.event.name}"
    return current_span(
        f"process {destination}:{queue.name}",
        context=parent,
        kind=SpanKind.CONSUMER,
        links=[Link(source)] if source.is_valid else [],
        attributes={
            "messaging.system": "rabbitmq",
            "messaging.operation.name": "process",
            "messaging.operation.type": "process",
            "messaging.destination.name": f"{destination}:{queue.name}",
            "messaging.message.id": envelope.id,
            "messaging.message.conversation_id": envelope.correlation_id,
            CORRELATION: envelope.correlation_id,
        },
    )
