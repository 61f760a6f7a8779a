"""Messages out, each one confirmed by the broker. Only the relay and parking publish."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from types import TracebackType
from typing import Final, Self

from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import DeliveryError, PublishError
from pamqp.commands import Basic
from prometheus_client import Counter

from trunkline_common.broker.connect import BrokerLost, broker_call, open_channel, open_connection
from trunkline_common.broker.envelope import Outgoing
from trunkline_common.outcomes import TrunklineError

PUBLISH_SECONDS: Final = 10

PUBLISHED = Counter("trunkline_published_total", "Messages by what the broker said", ["result"])


class NotTaken(TrunklineError):
    """The broker is there and did not take the message: no route, or the queue is full."""


class Publisher:
    """One channel with confirms; given up after a deadline, for what comes late confuses it."""

    def __init__(self, channel: AbstractChannel) -> None:
        self._channel = channel
        self._lost = False

    @property
    def lost(self) -> bool:
        return self._lost or self._channel.is_closed

    async def publish(self, message: Outgoing) -> None:
        """Return once the broker has it; raise `NotTaken`, or `BrokerLost` if that is unknown."""
        if self.lost:
            raise BrokerLost("the publishing channel is closed")
        try:
            async with broker_call(PUBLISH_SECONDS):
                await self._confirmed(message)
        except BrokerLost:
            self._lost = True
            PUBLISHED.labels("unknown").inc()
            raise
        except asyncio.CancelledError:
            self._lost = True
            raise

    async def _confirmed(self, message: Outgoing) -> None:
        """The driver's own publish: aio-pika's waits for each frame to be written in turn, which
        serialises a pipeline by several rounds of the event loop a message.
        """
        beneath = await self._channel.get_underlay_channel()
        try:
            answer = await beneath.basic_publish(
                message.message.body,
                exchange=message.exchange,
                routing_key=message.routing_key,
                properties=message.message.properties,
                mandatory=True,
                wait=False,  # type: ignore[call-arg]  # the abstract class does not have it yet
            )
        except PublishError:
            PUBLISHED.labels("returned").inc()
            raise NotTaken(f"no queue for {message.routing_key}") from None
        except DeliveryError:
            PUBLISHED.labels("nacked").inc()
            raise NotTaken(f"refused by the broker: a queue of {message.name} is full") from None
        if not isinstance(answer, Basic.Ack):
            raise NotTaken(f"not confirmed: {answer!r}")
        PUBLISHED.labels("confirmed").inc()

    async def publish_all(self, messages: Sequence[Outgoing]) -> list[NotTaken | BrokerLost | None]:
        """Publish pipelined; what became of each. No two may carry the same message id."""
        results: list[NotTaken | BrokerLost | None] = [None] * len(messages)

        async def one(index: int, message: Outgoing) -> None:
            try:
                await self.publish(message)
            except (NotTaken, BrokerLost) as error:
                results[index] = error

        async with asyncio.TaskGroup() as tasks:
            for index, message in enumerate(messages):
                tasks.create_task(one(index, message))
        return results


@asynccontextmanager
async def open_publisher(connection: AbstractConnection) -> AsyncIterator[Publisher]:
    """A publisher on a channel of its own: an error closes nobody else's."""
    async with open_channel(connection, confirms=True) as channel:
        yield Publisher(channel)


class PublishLink:
    """A publisher that is opened when somebody asks for it, and again after it was lost.

    It has a connection of its own: the broker stops reading from connections that publish when it
    is short of memory, and acknowledgements must not wait behind that.
    """

    def __init__(self, url: str, name: str) -> None:
        self._url = url
        self._name = name
        self._open: AsyncExitStack | None = None
        self._publisher: Publisher | None = None
        self._lock = asyncio.Lock()

    async def publisher(self) -> Publisher:
        """The publisher of now, or `BrokerLost`."""
        async with self._lock:
            if self._publisher is not None and not self._publisher.lost:
                return self._publisher
            await self._shut()
            async with AsyncExitStack() as opening:
                connection = await opening.enter_async_context(
                    open_connection(self._url, self._name)
                )
                self._publisher = await opening.enter_async_context(open_publisher(connection))
                self._open = opening.pop_all()
            return self._publisher

    async def _shut(self) -> None:
        opened, self._open, self._publisher = self._open, None, None
        if opened is not None:
            await opened.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._shut()
