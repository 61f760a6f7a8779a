"""Connections and channels: opened with deadlines, closed for certain, never mended silently.

aio-pika without its robust layer: whoever loses a connection opens another one and knows that it
did, because what was in flight on the old one has to be judged.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterator
from typing import Final

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import AMQPError
from yarl import URL

from trunkline_common.outcomes import TrunklineError

log = logging.getLogger(__name__)

HEARTBEAT_SECONDS: Final = (
    10  # a silent peer is noticed after 33 s; the default takes three minutes
)
CONNECT_SECONDS: Final = 10
CALL_SECONDS: Final = 10
CLOSE_SECONDS: Final = 3


class BrokerLost(TrunklineError):
    """The broker is away, or closed what we were using; what was in flight is unknown."""


@contextlib.contextmanager
def broker_errors() -> Iterator[None]:
    """Whatever a lost connection raises inside becomes `BrokerLost`.

    The futures of a closed channel are cancelled, which looks like a cancellation of our task.
    """
    try:
        yield
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise BrokerLost("the channel was closed") from None
    except (AMQPError, OSError, TimeoutError, RuntimeError) as error:
        raise BrokerLost(f"{type(error).__name__}: {error}") from error


@contextlib.asynccontextmanager
async def broker_call(seconds: float = CALL_SECONDS) -> AsyncIterator[None]:
    """`broker_errors`, and a deadline."""
    with broker_errors():
        async with asyncio.timeout(seconds):
            yield


async def _close(resource: AbstractChannel | AbstractConnection) -> None:
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await resource.close()
    except (AMQPError, OSError, TimeoutError, RuntimeError) as error:
        log.debug("broker.close_failed", extra={"error": error})


@contextlib.asynccontextmanager
async def open_connection(url: str, name: str) -> AsyncIterator[AbstractConnection]:
    """A connection that an operator finds by its name."""
    address = URL(url).update_query(heartbeat=str(HEARTBEAT_SECONDS), name=name)
    async with broker_call(CONNECT_SECONDS):
        connection = await aio_pika.connect(address)
    try:
        yield connection
    finally:
        await _close(connection)


@contextlib.asynccontextmanager
async def open_channel(
    connection: AbstractConnection, *, confirms: bool = False, prefetch: int | None = None
) -> AsyncIterator[AbstractChannel]:
    """A channel. With `confirms`, a message that no queue takes raises instead of vanishing."""
    async with broker_call():
        channel = await connection.channel(publisher_confirms=confirms, on_return_raises=confirms)
        if prefetch is not None:
            await channel.set_qos(prefetch_count=prefetch)
    try:
        yield channel
    finally:
        await _close(channel)


async def probe(url: str) -> None:
    """Return if the broker lets us in; raise `BrokerLost` if not."""
    async with open_connection(url, "probe"):
        return
