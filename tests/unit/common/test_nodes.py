"""Which node of a cluster is tried first."""

from __future__ import annotations

import asyncio

import pytest

from trunkline_common.broker import BrokerLost, connect

URLS = "amqp://u:a,b@one/v,amqp://u:a,b@two:5673/v , amqps://u:a,b@three/v"


def hosts() -> list[str | None]:
    return [node.host for node in connect.addresses(URLS)]


def test_commas_stand_between_urls_and_in_passwords() -> None:
    nodes = connect.addresses(URLS)

    assert sorted(str(node.host) for node in nodes) == ["one", "three", "two"]
    assert {node.password for node in nodes} == {"a,b"}
    assert [str(node) for node in connect.addresses("amqp://u:p@alone/")] == ["amqp://u:p@alone/"]


def test_each_node_is_the_first_for_some() -> None:
    assert {hosts()[0] for _ in range(200)} == {"one", "two", "three"}


def test_a_node_that_was_lost_is_tried_last() -> None:
    nobody = "amqp://u:p@127.0.0.1:1/v"

    async def lose() -> None:
        try:
            await connect.probe(nobody)
        except BrokerLost:
            return

    asyncio.run(lose())
    both = f"{nobody},amqp://u:p@other/v"
    assert {connect.addresses(both)[-1].port for _ in range(50)} == {1}


async def test_a_node_that_hangs_up_while_we_connect_is_lost_and_no_defect() -> None:
    """The driver calls that the end of an iteration, which no generator lets pass."""
    with pytest.raises(BrokerLost, match="hung up"):
        async with connect.broker_call():
            raise StopAsyncIteration
