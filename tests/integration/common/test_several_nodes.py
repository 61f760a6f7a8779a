"""A broker URL that names several nodes: whoever is lost there goes on at another one."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from urllib.parse import urlsplit, urlunsplit

import pytest
from tests.faults.links import Link
from tests.integration.common.parts import progressed, wire

from trunkline_common.broker import BrokerLost, probe
from trunkline_common.broker.envelope import encode
from trunkline_common.broker.publisher import PublishLink
from trunkline_common.testing import Broker, facts
from trunkline_dev.servers.ports import LOOPBACK, free_ports

pytestmark = pytest.mark.broker


def at_port(broker: Broker, port: int) -> str:
    """The same broker, as a node at this port."""
    parts = urlsplit(broker.url)
    account = parts.netloc.rpartition("@")[0]
    return urlunsplit(parts._replace(netloc=f"{account}@{LOOPBACK}:{port}"))


@asynccontextmanager
async def two_ways(broker: Broker) -> AsyncIterator[tuple[str, dict[str, Link]]]:
    """Two links to the broker, as two nodes; by the names that the connections may have."""
    target = urlsplit(broker.url).port or 0
    links = {at_port(broker, port): Link(port, target) for port in free_ports(2)}
    for link in links.values():
        await link.open()
    try:
        yield ",".join(links), links
    finally:
        for link in links.values():
            await link.cut()


async def test_a_node_that_refuses_is_passed_over(broker: Broker) -> None:
    (closed,) = free_ports(1)
    urls = f"{at_port(broker, closed)}, {broker.url}"

    for _ in range(8):  # whichever is tried first
        await probe(urls)


async def test_a_node_that_says_nothing_is_passed_over(broker: Broker) -> None:
    with socket.create_server((LOOPBACK, 0)) as silent:
        named = [at_port(broker, silent.getsockname()[1]), *[broker.url] * 19]
        urls = ",".join(named)  # twenty nodes: each has half a second
        async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
            for _ in range(20):
                tasks.create_task(probe(urls))


async def test_where_nobody_answers_every_node_is_named_and_no_password(broker: Broker) -> None:
    one, two = free_ports(2)
    with pytest.raises(BrokerLost) as lost:
        await probe(f"{at_port(broker, one)},{at_port(broker, two)}")

    assert f"{LOOPBACK}:{one}: " in str(lost.value)
    assert f"{LOOPBACK}:{two}: " in str(lost.value)
    assert str(urlsplit(broker.url).password) not in str(lost.value)


async def test_a_publisher_goes_on_at_another_node(broker: Broker) -> None:
    async with two_ways(broker) as (urls, links), PublishLink(urls, "tests:several") as link:

        async def published() -> bool:
            try:
                await (await link.publisher()).publish(encode(wire(progressed("r")), "outbound"))
            except BrokerLost:  # what was under way on the node that went: the relay says it again
                return False
            return True

        for one in links.values():
            await one.cut()
            await facts.eventually(published)
            assert not one.carries
            await one.open()

    await facts.eventually(lambda: _is_there(broker, 2))


async def _is_there(broker: Broker, count: int) -> bool:
    return await broker.depth("api.projections") >= count


async def test_a_node_that_was_just_lost_is_left_for_another(broker: Broker) -> None:
    """It lets us in again at once, as one that is cut off from the others would."""
    async with two_ways(broker) as (urls, links), PublishLink(urls, "tests:several") as link:
        for _ in range(6):
            way = await link.publisher()
            (used,) = [one for one in links.values() if one.carries]
            await used.cut()
            await used.open()
            await facts.eventually(partial(getattr, way, "lost"))
            await link.publisher()
            (now,) = [one for one in links.values() if one.carries]
            assert now is not used
