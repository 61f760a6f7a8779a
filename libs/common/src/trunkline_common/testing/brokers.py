"""A virtual host of its own for each test worker, and a hand in it for tests."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage

from trunkline_common.broker.connect import open_channel, open_connection
from trunkline_common.broker.declaring import declare
from trunkline_common.broker.envelope import Outgoing, Wire, encode
from trunkline_common.broker.management import Management
from trunkline_common.broker.publisher import Publisher, open_publisher
from trunkline_common.testing.facts import eventually
from trunkline_common.topology import QUEUES, Queue, layout


class Broker:
    """What a test does with its virtual host: put in, look, break connections."""

    def __init__(self, url: str, management_url: str, vhost: str) -> None:
        self.url = url
        self.management_url = management_url
        self.vhost = vhost
        self._connection: AbstractConnection | None = None

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator[Broker]:
        """With a connection, in the test's own loop."""
        async with open_connection(self.url, "tests") as self._connection:
            yield self
        self._connection = None

    @contextlib.asynccontextmanager
    async def channel(self) -> AsyncIterator[AbstractChannel]:
        """A channel that may be broken: nothing else uses it."""
        assert self._connection is not None  # noqa: S101 - the fixture opened it
        async with open_channel(self._connection) as channel:
            yield channel

    @contextlib.asynccontextmanager
    async def publisher(self) -> AsyncIterator[Publisher]:
        assert self._connection is not None  # noqa: S101 - as above
        async with open_publisher(self._connection) as publisher:
            yield publisher

    async def publish(self, wire: Wire, service: str) -> None:
        """Say a fact as this service would."""
        async with self.publisher() as publisher:
            await publisher.publish(encode(wire, service))

    async def put(self, queue: str, body: bytes, **properties: Any) -> None:
        """Put any bytes into a queue, as somebody who does not know our rules."""
        made = Message(body, delivery_mode=DeliveryMode.PERSISTENT, **properties)
        async with self.publisher() as publisher:
            await publisher.publish(Outgoing("", queue, made, "raw"))

    async def depth(self, queue: str) -> int:
        """How many messages wait there now."""
        async with self.channel() as channel:
            declared = await channel.declare_queue(queue, passive=True)
        return declared.declaration_result.message_count or 0

    async def is_empty(self, *queues: str) -> bool:
        return not any([await self.depth(queue) for queue in queues])

    async def next_message(self, queue: str, within: float = 10.0) -> AbstractIncomingMessage:
        """Take the next message out; the test fails if none comes."""

        async def taken() -> AbstractIncomingMessage | bool:
            async with self.channel() as channel:
                there = await channel.get_queue(queue, ensure=False)
                return await there.get(no_ack=True, fail=False) or False

        found = await eventually(taken, within, what=f"a message in {queue}")
        assert isinstance(found, AbstractIncomingMessage)  # noqa: S101 - eventually said so
        return found

    async def purge(self, queues: tuple[Queue, ...] = QUEUES) -> None:
        """Nothing left of the last test."""
        async with self.channel() as channel:
            for queue in layout(queues).queues:
                await (await channel.get_queue(queue.name, ensure=False)).purge()

    def connections(self, named: str) -> list[dict[str, Any]]:
        """The connections whose client-given name contains this; the broker lists them late."""
        rows = Management(self.management_url).call("GET", "vhosts", self.vhost, "connections")
        return [row for row in rows or [] if named in (row.get("user_provided_name") or "")]

    async def close_connections(self, named: str, within: float = 15.0) -> int:
        """Break them from the broker's side, as an operator or a failing node would."""
        rows = await eventually(
            lambda: asyncio.to_thread(self.connections, named), within, what=f"connection {named}"
        )
        for row in rows:
            await asyncio.to_thread(
                Management(self.management_url).call, "DELETE", "connections", row["name"]
            )
        return len(rows)


def with_login(management_url: str, amqp_url: str) -> str:
    """A management URL with the AMQP URL's user, where it has none of its own."""
    there, here = urlsplit(management_url), urlsplit(amqp_url)
    if there.username:
        return management_url
    login = here.netloc.rpartition("@")[0]
    return urlunsplit(there._replace(netloc=f"{login}@{there.netloc}"))


@contextlib.contextmanager
def virtual_host(amqp_url: str, management_url: str, vhost: str) -> Iterator[Broker]:
    """A virtual host with the topology declared; deleted at the end."""
    login = with_login(management_url, amqp_url)
    management = Management(login)
    user = urlsplit(login).username or "guest"
    management.call("DELETE", "vhosts", vhost)
    management.call("PUT", "vhosts", vhost)
    management.call(
        "PUT",
        "permissions",
        vhost,
        user,
        body={"configure": ".*", "write": ".*", "read": ".*"},
    )
    url = urlunsplit(urlsplit(amqp_url)._replace(path=f"/{quote(vhost, safe='')}"))
    try:
        asyncio.run(declare(url))
        yield Broker(url, login, vhost)
    finally:
        management.call("DELETE", "vhosts", vhost)
