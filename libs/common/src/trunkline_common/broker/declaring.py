"""Topology becomes RabbitMQ objects, by one command; services only check that it has.

`python -m trunkline_common.broker.declare AMQP_URL` declares. A service calls `verify` at its
start and does not run on a broker that differs.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable

from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import AMQPError, ChannelNotFoundEntity, ChannelPreconditionFailed
from pamqp.common import FieldTable

from trunkline_common.broker.connect import (
    CALL_SECONDS,
    BrokerLost,
    broker_call,
    open_channel,
    open_connection,
)
from trunkline_common.outcomes import TrunklineError
from trunkline_common.topology import (
    QUEUES,
    SERVICES,
    UNROUTED_QUEUE,
    DeclaredQueue,
    Exchange,
    Layout,
    Queue,
    exchange_of,
    hints_of,
    layout,
    queues_of,
)

COMMAND = "python -m trunkline_common.broker.declare AMQP_URL"
MEND = f"arguments cannot be changed in place: let it drain, delete it, then run `{COMMAND}`"
_INEQUIVALENT = re.compile(
    r"inequivalent arg '(?P<argument>[^']+)' for (?P<what>\w+) '(?P<name>[^']+)'.*?"
    r"received (?:the value )?(?P<expected>.+?) but current is (?P<actual>.+)$"
)


class Drift(TrunklineError):
    """The broker has something else than topology says; the message names it and the mending."""


async def declare(amqp_url: str, queues: tuple[Queue, ...] = QUEUES) -> None:
    """Declare everything. Equal objects are left alone; one that differs raises `Drift`."""
    async with open_connection(amqp_url, "trunkline:declare") as connection:
        await _state(connection, layout(queues))


async def verify(
    amqp_url: str, service: str | None = None, queues: tuple[Queue, ...] | None = None
) -> None:
    """Raise `Drift` where the objects of a service (or all) are missing or have other arguments.

    Bindings are stated anew: AMQP cannot ask for them, and stating one twice changes nothing.
    """
    services = SERVICES if service is None else (service,)
    lanes = queues or (QUEUES if service is None else queues_of(service))
    whole = layout(lanes, services)
    wanted = whole if service is None else _own(whole, service)
    async with open_connection(amqp_url, "trunkline:verify") as connection:
        for thing in wanted.things:
            await _attempt(connection, thing, passive=True)
        await _state(connection, wanted)


def _own(wanted: Layout, service: str) -> Layout:
    """What a service's broker user may declare: what is shared is for the command to compare."""
    own = {exchange_of(service), hints_of(service)}
    return Layout(
        tuple(exchange for exchange in wanted.exchanges if exchange.name in own),
        tuple(queue for queue in wanted.queues if queue.name != UNROUTED_QUEUE),
        tuple(binding for binding in wanted.bindings if binding.queue != UNROUTED_QUEUE),
    )


async def _state(connection: AbstractConnection, wanted: Layout) -> None:
    for thing in wanted.things:
        await _attempt(connection, thing)
    async with open_channel(connection) as channel:
        for binding in wanted.bindings:
            async with broker_call():
                queue = await channel.get_queue(binding.queue, ensure=False)
                await queue.bind(binding.exchange, binding.key)


Call = Callable[[AbstractChannel], Awaitable[object]]


def _declaring(thing: Exchange | DeclaredQueue, *, passive: bool = False) -> Call:
    """The call that declares it, or that only asks whether it is there."""
    arguments: FieldTable | None = None if passive else dict(thing.arguments)
    if isinstance(thing, DeclaredQueue):
        return lambda channel: channel.declare_queue(
            thing.name, durable=True, passive=passive, arguments=arguments
        )
    return lambda channel: channel.declare_exchange(
        thing.name,
        thing.kind,
        durable=True,
        passive=passive,
        arguments=arguments,
    )


async def _attempt(
    connection: AbstractConnection, thing: Exchange | DeclaredQueue, *, passive: bool = False
) -> None:
    """On a channel of its own: the broker closes it where it disagrees."""
    what = f"{'queue' if isinstance(thing, DeclaredQueue) else 'exchange'} {thing.name}"
    async with open_channel(connection) as channel:
        try:
            async with asyncio.timeout(CALL_SECONDS):
                await _declaring(thing, passive=passive)(channel)
        except ChannelNotFoundEntity:
            raise Drift(f"{what} is missing; run `{COMMAND}`") from None
        except ChannelPreconditionFailed as error:
            raise Drift(f"{what}: {_difference(str(error))}; {MEND}") from None
        except (AMQPError, OSError, TimeoutError, RuntimeError) as error:
            raise BrokerLost(f"{what}: {error}") from error


def _difference(said: str) -> str:
    """What the broker said, shortened to the argument and its two values."""
    found = _INEQUIVALENT.search(said)
    if found is None:
        return said
    expected, actual = found["expected"].strip(" '"), found["actual"].strip(" '")
    return f"{found['argument']} should be {expected} and is {actual}"
