"""The way in: deliveries of one queue, in batches, settled only after their effect is committed.

Order of the parts: a delivery is buffered, decoded, applied in one transaction with its
neighbours (`batches`), parked elsewhere if it failed (`parking`), and acknowledged last.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter as Counted
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Final

import aiormq
from aio_pika.abc import AbstractConnection
from aiormq.abc import DeliveredMessage
from prometheus_client import Counter

from trunkline_common.broker.arrivals import Arrival, Arrived
from trunkline_common.broker.batches import Batches, DatabaseAway, Delivery, Handlers
from trunkline_common.broker.confirms import NotTaken
from trunkline_common.broker.connect import (
    BrokerLost,
    broker_call,
    open_channel,
    open_connection,
)
from trunkline_common.broker.envelope import (
    Undecodable,
    attempt_of,
    decode,
    tag_of,
    was_redelivered,
)
from trunkline_common.broker.parking import parked
from trunkline_common.broker.publisher import PublishLink
from trunkline_common.db.engine import Database
from trunkline_common.db.wake import Flag
from trunkline_common.failpoints import failpoint
from trunkline_common.ids import new_event_id
from trunkline_common.loops import Stop, backoff
from trunkline_common.outcomes import Dead, Done, RetryIn, Settlement, settle
from trunkline_common.telemetry import told
from trunkline_common.topology import Queue

log = logging.getLogger(__name__)

BATCH: Final = 50
RENEW_SECONDS: Final = 15  # without a delivery for so long, subscribe anew
DRAIN_SECONDS: Final = 20
HOLD_SECONDS: Final = 900  # half of the broker's consumer time-out
PARK_TRIES: Final = 8

CONSUMED = Counter("trunkline_consumed_total", "Deliveries by their end", ["queue", "result"])
REDELIVERED = Counter("trunkline_redelivered_total", "Deliveries seen before", ["queue"])
RECONNECTED = Counter("trunkline_consumer_restarts_total", "Connections lost", ["queue"])


class Consumer:
    """Consumes one queue until `stop`, through whatever the broker and the database do."""

    def __init__(
        self, queue: Queue, batches: Batches, link: PublishLink, *, name: str, stop: Stop
    ) -> None:
        self._queue = queue
        self._batches = batches
        self._link = link
        self._name = name
        self._stop = stop
        self._bell = Flag()
        self._buffer: deque[Arrival] = deque()
        self._gone: str | None = None

    async def run(self, url: str) -> None:
        """Connect, consume, and connect again; a lost connection costs a redelivery, no more."""
        failures = 0
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                await self._session(url)
            except BrokerLost as error:
                failures = 1 if time.monotonic() - began > RENEW_SECONDS else failures + 1
                RECONNECTED.labels(self._queue.name).inc()
                log.warning("consumer.lost", extra={"queue": self._queue.name, "error": str(error)})
                await self._stop.wait(backoff(failures))

    async def _session(self, url: str) -> None:
        name = f"{self._name}:{self._queue.name}"
        async with open_connection(url, name) as connection:
            while not self._stop.is_set():
                await self._subscription(connection)

    async def _subscription(self, connection: AbstractConnection) -> None:
        """Consume on a channel of its own, until `stop` or until nothing came for a while."""
        self._buffer.clear()  # of the last channel: the broker delivers them again
        self._gone = None
        async with open_channel(connection, prefetch=self._queue.prefetch) as channel:
            channel.close_callbacks.add(lambda *_: self._leave("the channel was closed"))
            beneath = await channel.get_underlay_channel()  # aio-pika's plain one does not tell
            beneath.on_consumer_cancel_callbacks.add(
                lambda _: self._leave("the broker cancelled the consumer")
            )
            tag = f"{self._queue.name}:{new_event_id()}"  # fresh: brokers mix up used ones
            async with broker_call():
                await beneath.basic_consume(self._queue.name, self._heard, consumer_tag=tag)
            log.info("consumer.started", extra={"queue": self._queue.name})
            await self._consume()
            await self._drain(beneath, tag)

    def _leave(self, why: str) -> None:
        self._gone = why
        self._bell.ring()

    async def _heard(self, message: DeliveredMessage) -> None:
        self._buffer.append(Arrival(message))
        self._bell.ring()

    async def _consume(self) -> None:
        """Work until `stop`, or until the subscription is to be renewed.

        A broker may forget a consumer without a word: RabbitMQ 3.10 does when a quorum queue is
        deleted and declared again at once, and counts what it then delivers as on its way to us.
        A new channel is a question that such a queue cannot answer wrongly.
        """
        while not self._stop.is_set():
            self._bell.clear()
            if self._gone:
                raise BrokerLost(self._gone)
            if self._buffer:
                await self._work()
                continue
            heard = time.monotonic()
            await self._stop.wait_or_ring(self._bell, RENEW_SECONDS)
            if time.monotonic() - heard >= RENEW_SECONDS and not self._buffer:
                return

    async def _drain(self, beneath: aiormq.abc.AbstractChannel, tag: str) -> None:
        """Take nothing new, and finish what is here: giving it back would count as a failure."""
        async with broker_call():
            await beneath.basic_cancel(tag)
        deadline = time.monotonic() + DRAIN_SECONDS
        while self._buffer and time.monotonic() < deadline and not self._gone:
            await self._work()

    async def _work(self) -> None:
        """One batch from the buffer to its acknowledgement."""
        taken = [self._buffer.popleft() for _ in range(min(BATCH, len(self._buffer)))]
        batch = [self._decoded(message) for message in taken]
        failpoint("consumer.taken")
        if not await self._applied(batch):
            return  # stopping while the database is away: the broker delivers them again
        failpoint("consumer.applied")
        fates = [(delivery, self._fate(delivery)) for delivery in batch]
        await self._park([(d, s) for d, s in fates if not isinstance(s, Done)])
        # INVARIANT: acknowledged last. Batches are taken in order of delivery, so the last tag
        # covers this batch and what is settled already, and nothing else.
        async with broker_call():
            await max(taken, key=tag_of).settle_up_to()
        failpoint("consumer.acknowledged")
        self._count(fates)

    def _decoded(self, message: Arrived) -> Delivery:
        if was_redelivered(message):
            REDELIVERED.labels(self._queue.name).inc()
        try:
            return Delivery(message, decode(message))
        except Undecodable as error:
            return Delivery(message, error=error)

    async def _applied(self, batch: Sequence[Delivery]) -> bool:
        """Apply, waiting for the database where it is away; False when it stayed away."""
        failures, began = 0, time.monotonic()
        while True:
            try:
                await self._batches.apply(batch)
            except DatabaseAway as error:
                failures += 1
                log.warning(
                    "consumer.database_away",
                    extra={"queue": self._queue.name, "error": str(error)},
                )
                if await self._stop.wait(backoff(failures)):
                    return False
                if time.monotonic() - began > HOLD_SECONDS:
                    raise BrokerLost("held a batch for too long, database away") from error
            else:
                return True

    def _fate(self, delivery: Delivery) -> Settlement:
        attempt = attempt_of(delivery.message)
        ladder = self._queue.retry_after
        return settle(delivery.error, attempt=attempt, retry_after=ladder, told=told)

    async def _park(self, failed: Sequence[tuple[Delivery, Settlement]]) -> None:
        """Copies first, confirmed; only then may the originals be acknowledged."""
        waiting = [(d, s) for d, s in failed if isinstance(s, RetryIn | Dead)]
        for delivery, settlement in waiting:
            self._report(delivery, settlement)
        for tries in range(1, PARK_TRIES + 1):
            waiting = await self._park_once(waiting)
            if not waiting:
                return
            if await self._stop.wait(backoff(tries)):
                break
        raise BrokerLost("parking failed: the broker will deliver these again")

    async def _park_once(
        self, waiting: Sequence[tuple[Delivery, RetryIn | Dead]]
    ) -> list[tuple[Delivery, RetryIn | Dead]]:
        left: list[tuple[Delivery, RetryIn | Dead]] = []
        for delivery, settlement in waiting:  # one by one: two copies may carry one message id
            copy = parked(delivery.message, self._queue, settlement)
            try:
                await (await self._link.publisher()).publish(copy)
            except (NotTaken, BrokerLost) as error:
                log.error(  # noqa: TRY400 - a traceback says nothing about a full queue
                    "consumer.parking_failed",
                    extra={"queue": self._queue.name, "to": copy.routing_key, "error": str(error)},
                )
                left.append((delivery, settlement))
        return left

    def _report(self, delivery: Delivery, settlement: RetryIn | Dead) -> None:
        name = "event.dead" if isinstance(settlement, Dead) else "event.retry"
        log.warning(
            name,
            extra={
                "queue": self._queue.name,
                "event": delivery.message.type,
                "event_id": delivery.message.message_id,
                "attempt": attempt_of(delivery.message),
                "reason": settlement.reason,
            },
            exc_info=delivery.error if isinstance(settlement, RetryIn) else None,
        )

    def _count(self, fates: Sequence[tuple[Delivery, Settlement]]) -> None:
        names = {Done: "done", RetryIn: "retried", Dead: "dead"}
        ends = Counted(
            "duplicate" if d.duplicate and isinstance(s, Done) else names[type(s)] for d, s in fates
        )
        for result, count in ends.items():
            CONSUMED.labels(self._queue.name, result).inc(count)


async def consume_queues(
    handlers: Mapping[Queue, Handlers],
    database: Database,
    broker_url: str,
    service: str,
    stop: Stop,
) -> None:
    """Consume these queues until `stop`; each on a connection of its own."""
    name = f"trunkline_{service}"
    async with PublishLink(broker_url, f"{name}:parking") as link, asyncio.TaskGroup() as tasks:
        for queue, table in handlers.items():
            consumer = Consumer(queue, Batches(queue, table, database), link, name=name, stop=stop)
            tasks.create_task(consumer.run(broker_url), name=f"consume:{queue.name}")
