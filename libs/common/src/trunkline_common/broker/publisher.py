"""Messages out, each one confirmed by the broker. Only the relay and parking publish."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter as Counted
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from types import TracebackType
from typing import Final, Self, cast

import aiormq
from aio_pika.abc import AbstractChannel, AbstractConnection
from prometheus_client import Counter

from trunkline_common.broker.confirms import Confirmations, NotTaken
from trunkline_common.broker.connect import BrokerLost, broker_errors, open_channel, open_connection
from trunkline_common.broker.envelope import Outgoing

PUBLISH_SECONDS: Final = 10

PUBLISHED = Counter("trunkline_published_total", "Messages by what the broker said", ["result"])


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
        (result,) = await self.publish_all([message])
        if result is not None:
            raise result

    async def publish_all(self, messages: Sequence[Outgoing]) -> list[NotTaken | BrokerLost | None]:
        """Publish pipelined; what became of each. No two may carry the same message id."""
        if self.lost:
            return [BrokerLost("the publishing channel is closed")] * len(messages)
        batch, limit = Confirmations(messages), asyncio.timeout(PUBLISH_SECONDS)
        try:
            with broker_errors():
                beneath = await self._channel.get_underlay_channel()
                async with limit:
                    await batch.settle(cast(aiormq.Channel, beneath))
        except BrokerLost as error:
            late = BrokerLost(f"not confirmed within {PUBLISH_SECONDS} s")
            batch.give_up(late if limit.expired() else error)
        except BaseException:  # whatever it was, some may be numbered and not written
            self._lost = True  # what is confirmed later must not be taken for something else's
            raise
        self._count(batch.results)
        return batch.results

    def _count(self, results: Sequence[NotTaken | BrokerLost | None]) -> None:
        said = Counted(
            "confirmed" if result is None else getattr(result, "said", "unknown")
            for result in results
        )
        self._lost = self._lost or "unknown" in said
        for name, count in said.items():
            PUBLISHED.labels(name).inc(count)


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
        opened, self._open = self._open, None
        lost, self._publisher = self._publisher is not None and self._publisher.lost, None
        if opened is None:
            return
        with contextlib.suppress(BrokerLost):
            async with opened:
                if lost:  # as its connection has to know, to try another node first
                    raise BrokerLost("the publisher was lost")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._shut()
