"""Connections and channels: opened with deadlines, closed for certain, never mended silently.

aio-pika without its robust layer: whoever loses a connection opens another one and knows that it
did, because what was in flight on the old one has to be judged.

A URL may be several, with commas between: the nodes of one cluster. Whoever connects takes one by
chance, and the next where that one does not answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import re
import time
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
SHUN_SECONDS: Final = 30  # a node that was lost is asked last for so long

_NEXT: Final = re.compile(r"\s*,\s*(?=amqps?://)")  # a comma may stand in a password, too
_lost: dict[tuple[str | None, int | None], float] = {}  # when this process last lost a node


class BrokerLost(TrunklineError):
    """The broker is away, or closed what we were using; what was in flight is unknown."""


@contextlib.contextmanager
def broker_errors() -> Iterator[None]:
    """Whatever a lost connection raises inside becomes `BrokerLost`.

    The futures of a closed channel are cancelled, which looks like a cancellation of our task; and
    a peer that hangs up while we connect is, to the driver, the end of an iteration.
    """
    try:
        yield
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise BrokerLost("the channel was closed") from None
    except StopAsyncIteration as error:
        raise BrokerLost("the broker hung up") from error
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


def addresses(urls: str) -> list[URL]:
    """The nodes that a broker URL names, in the order to try them.

    By chance, so that clients spread; those lost a moment ago last, for a node that is cut off
    from the others may well let us in, and take nothing.
    """
    nodes = [URL(url) for url in _NEXT.split(urls.strip())]
    random.shuffle(nodes)
    since = time.monotonic() - SHUN_SECONDS
    return sorted(nodes, key=lambda node: max(_lost.get(_node(node), since), since))


def _node(address: URL) -> tuple[str | None, int | None]:
    return address.host, address.port


async def _connected(urls: str, name: str) -> tuple[URL, AbstractConnection]:
    """The first node that lets us in; all of them together have the time that one has."""
    nodes, said = addresses(urls), []
    for node in nodes:
        address = node.update_query(heartbeat=str(HEARTBEAT_SECONDS), name=name)
        try:
            async with broker_call(CONNECT_SECONDS / len(nodes)):
                return node, await aio_pika.connect(address)
        except BrokerLost as error:
            _lost[_node(node)] = time.monotonic()
            said.append(f"{node.host}:{node.port}: {error}" if len(nodes) > 1 else str(error))
    raise BrokerLost("; ".join(said))


@contextlib.asynccontextmanager
async def open_connection(url: str, name: str) -> AsyncIterator[AbstractConnection]:
    """A connection that an operator finds by its name; to one node, where the URL names several."""
    node, connection = await _connected(url, name)
    try:
        yield connection
    except BrokerLost:
        _lost[_node(node)] = time.monotonic()
        raise
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
