"""One batch of deliveries and one transaction: what became of each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from opentelemetry.trace import Link, SpanKind, get_current_span
from prometheus_client import Histogram
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_common.broker.arrivals import Arrived
from trunkline_common.contracts.envelope import Envelope, Event
from trunkline_common.db import inbox
from trunkline_common.db.engine import Database
from trunkline_common.db.faults import is_away, is_contention
from trunkline_common.db.transaction import transaction
from trunkline_common.outcomes import Refuse, TrunklineError, TryLater
from trunkline_common.telemetry.correlation import correlated
from trunkline_common.telemetry.traces import (
    CORRELATION,
    context_of,
    current_span,
    is_tracing,
)
from trunkline_common.topology import Queue, exchange_of, owner_of

Handler = Callable[[AsyncSession, Envelope[Any]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Bulk:
    """A handler that takes all events of a batch that name it at once, in the order of `_order`.

    For effects that do not depend on each other's order. If it fails, it is asked again for each
    event alone, so that one bad event fails alone.
    """

    handle: Callable[[AsyncSession, Sequence[Envelope[Any]]], Awaitable[None]]

    async def __call__(self, session: AsyncSession, envelope: Envelope[Any]) -> None:
        """One event alone, as any other handler takes it."""
        await self.handle(session, [envelope])


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

    message: Arrived
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
        due = []
        for delivery in work:
            event_id = _id(delivery)
            delivery.duplicate = event_id not in fresh or ids[event_id] is not delivery
            if not delivery.duplicate:  # a second copy in one batch is acked with the first
                due.append(delivery)
        if not savepoints:
            for group in self._groups(due):
                await self._handle(session, group)
            return
        failed = [_id(d) for d in due if not await self._handled_alone(session, d)]
        await inbox.leave(session, self._queue.name, failed)

    def _groups(self, due: Sequence[Delivery]) -> Iterator[Sequence[Delivery]]:
        """What is handled in one go: each alone, but for those of a bulk handler."""
        bulks: dict[int, list[Delivery]] = {}
        for delivery in due:
            handler = self._handlers[type(_envelope(delivery).event)]
            if isinstance(handler, Bulk):
                bulks.setdefault(id(handler), []).append(delivery)
            else:
                yield (delivery,)
        yield from bulks.values()

    async def _handled_alone(self, session: AsyncSession, delivery: Delivery) -> bool:
        savepoint = await session.begin_nested()
        try:
            await self._handle(session, (delivery,))
        except _TakenBack:
            await savepoint.rollback()
            return False
        await savepoint.commit()
        return True

    async def _handle(self, session: AsyncSession, group: Sequence[Delivery]) -> None:
        """Run a handler; its error becomes the delivery's, unless it is the database's.

        Raises `_TakenBack` if it failed: what it did is to be rolled back.
        """
        event = _envelope(group[0]).event
        began, limit = time.perf_counter(), asyncio.timeout(self._limit)
        try:
            async with limit:
                await self._run(session, self._handlers[type(event)], group)
        except Exception as error:  # the one that feeds `settle`
            if isinstance(error, TimeoutError) and limit.expired():
                await session.invalidate()  # a statement was cut off: nobody may use it again
                if len(group) > 1:
                    raise _Contended from error  # which of them is not known: work it singly
                raise _TooSlow(group[0]) from error
            if is_away(error):
                raise DatabaseAway(type(error).__name__) from error
            if is_contention(error):
                raise _Contended from error
            if len(group) == 1:
                group[0].error = error
            raise _TakenBack from error
        finally:
            took = time.perf_counter() - began
            SECONDS.labels(self._queue.name, event.name).observe(took)

    async def _run(
        self, session: AsyncSession, handler: Handler, group: Sequence[Delivery]
    ) -> None:
        if isinstance(handler, Bulk):
            for delivery in group if is_tracing() else ():
                with _process_span(self._queue, _envelope(delivery)):
                    pass  # each trace shows that its event was taken here
            await handler.handle(session, [_envelope(delivery) for delivery in group])
            return
        envelope = _envelope(group[0])
        with correlated(envelope.correlation_id), _process_span(self._queue, envelope):
            await handler(session, envelope)


class _TakenBack(Exception):
    """A handler failed: what it did must not be committed."""


def _envelope(delivery: Delivery) -> Envelope[Event]:
    assert delivery.envelope is not None  # noqa: S101 - only decoded deliveries come here
    return delivery.envelope


def _id(delivery: Delivery) -> str:
    return _envelope(delivery).id


def _order(delivery: Delivery) -> tuple[str, int, str]:
    envelope = _envelope(delivery)
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
