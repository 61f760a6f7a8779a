"""The fabric on a real broker: declared, compared, permitted, and its dead letters worked."""

from __future__ import annotations

import asyncio
import re
import sys
from urllib.parse import quote, urlsplit, urlunsplit

import pytest
from tests.integration.common.parts import SHORT, declared, progressed, wire

from trunkline_common.broker import BrokerLost, Drift, Hints, declare, verify
from trunkline_common.broker.connect import open_connection
from trunkline_common.broker.dead_letters import work
from trunkline_common.broker.declaring import COMMAND
from trunkline_common.broker.envelope import encode
from trunkline_common.broker.management import (
    Management,
    binding_drift,
    create_users,
    permissions_of,
    user_of,
)
from trunkline_common.broker.publisher import PublishLink, open_publisher
from trunkline_common.loops import Stop
from trunkline_common.testing import Broker, eventually
from trunkline_common.topology import (
    OUTBOUND_CONTROL,
    SERVICES,
    Binding,
    exchange_of,
    queues_of,
)

pytestmark = pytest.mark.broker


async def test_declaring_twice_changes_nothing_and_verifies(broker: Broker) -> None:
    await declare(broker.url)
    for service in SERVICES:
        await verify(broker.url, service)
    await verify(broker.url)
    assert await asyncio.to_thread(binding_drift, broker.management_url, broker.vhost) == ([], [])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"x-queue-type": "quorum", "x-max-length": 7}, "queue tests.short: x-"),
        ({"x-queue-type": "classic"}, "queue tests.short: x-"),
        (None, f"queue tests.short is missing; run `{COMMAND}`"),
    ],
)
async def test_a_queue_that_differs_is_named_with_its_argument(
    broker: Broker, arguments: dict[str, str | int] | None, said: str
) -> None:
    await declared(broker)
    async with broker.channel() as channel:
        await channel.queue_delete(SHORT.name)
        if arguments:
            await channel.declare_queue(SHORT.name, durable=True, arguments=dict(arguments))
    try:
        with pytest.raises(Drift) as drift:
            await verify(broker.url, "outbound", (SHORT,))
        assert said in str(drift.value)
        assert f"run `{COMMAND}`" in str(drift.value)
        if arguments:
            assert " should be " in str(drift.value)
            with pytest.raises(Drift):
                await declare(broker.url, (SHORT,))
    finally:
        async with broker.channel() as channel:
            await channel.queue_delete(SHORT.name)


async def told_to_run(url: str, said: Drift) -> tuple[int, str]:
    """Run the very command that a message names; its exit code and what it says."""
    named = re.search(r"`([^`]+)`", str(said))
    assert named
    program, *arguments = [url if word == "AMQP_URL" else word for word in named[1].split()]
    assert program == "python"
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(30):
        _, errors = await process.communicate()
    return process.returncode or 0, errors.decode()


async def test_the_command_that_the_message_names_mends_it(broker: Broker) -> None:
    queue = OUTBOUND_CONTROL.name
    async with broker.channel() as channel:
        await channel.queue_delete(queue)
    with pytest.raises(Drift) as missing:
        await verify(broker.url, "outbound")
    assert await told_to_run(broker.url, missing.value) == (0, "")
    await verify(broker.url, "outbound")
    async with broker.channel() as channel:
        await channel.queue_delete(queue)
        await channel.declare_queue(queue, durable=True, arguments={"x-queue-type": "classic"})
    with pytest.raises(Drift) as differs:
        await verify(broker.url, "outbound")
    # RabbitMQ changes no arguments: until somebody deletes the queue the command says the same.
    assert await told_to_run(broker.url, differs.value) == (1, f"topology: {differs.value}\n")
    async with broker.channel() as channel:
        await channel.queue_delete(queue)
    assert await told_to_run(broker.url, differs.value) == (0, "")
    await verify(broker.url, "outbound")


async def test_an_exchange_that_differs_is_refused(broker: Broker) -> None:
    name = exchange_of("recordings")
    async with broker.channel() as channel:
        await channel.exchange_delete(name)
        await channel.declare_exchange(name, "fanout", durable=True)
    try:
        with pytest.raises(Drift, match=rf"exchange {name}: type should be topic and is fanout"):
            await verify(broker.url, "recordings")
    finally:
        async with broker.channel() as channel:
            await channel.exchange_delete(name)
        await declare(broker.url)
    await verify(broker.url, "recordings")


async def test_bindings_that_differ_are_found_and_a_missing_one_is_made(broker: Broker) -> None:
    queue, heard = OUTBOUND_CONTROL.name, f"*.{OUTBOUND_CONTROL.hears[0].name}"
    extra = Binding("trunkline.messaging", queue, "*.too.much.v1")
    missing = Binding("trunkline.api", queue, heard)
    async with broker.channel() as channel:
        await (await channel.get_queue(queue, ensure=False)).unbind(missing.exchange, missing.key)
        await (await channel.get_queue(queue, ensure=False)).bind(extra.exchange, extra.key)
    try:
        found = await asyncio.to_thread(binding_drift, broker.management_url, broker.vhost)
        assert found == ([missing], [extra])
        await verify(broker.url, "outbound")
        found = await asyncio.to_thread(binding_drift, broker.management_url, broker.vhost)
        assert found == ([], [extra])
    finally:
        async with broker.channel() as channel:
            await (await channel.get_queue(queue, ensure=False)).unbind(extra.exchange, extra.key)


async def test_each_service_may_say_its_own_facts_and_no_others(broker: Broker) -> None:
    passwords = dict.fromkeys(SERVICES, "of-the-tests")
    await asyncio.to_thread(create_users, broker.management_url, broker.vhost, passwords)
    try:
        own = encode(wire(progressed("run_a")), "outbound")
        await verify(as_user(broker, "outbound"), "outbound")
        async with open_connection(as_user(broker, "outbound"), "tests") as connection:
            async with open_publisher(connection) as publisher:
                await publisher.publish(own)
            async with open_publisher(connection) as publisher:
                with pytest.raises(BrokerLost, match=r"(?i)refused|closed"):
                    await publisher.publish(encode(wire(progressed("run_a")), "messaging"))
        async with open_connection(as_user(broker, "messaging"), "tests") as connection:
            for service in ("outbound", "messaging"):  # another's exchange; another's event
                async with open_publisher(connection) as publisher:
                    with pytest.raises(BrokerLost, match=r"(?i)refused|closed"):
                        await publisher.publish(encode(wire(progressed("run_a")), service))
    finally:
        for service in SERVICES:
            await asyncio.to_thread(
                Management(broker.management_url).call, "DELETE", "users", user_of(service)
            )


def as_user(broker: Broker, service: str) -> str:
    parts = urlsplit(broker.url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{quote(user_of(service))}:of-the-tests@{host}"))


def test_a_service_may_not_configure_anothers_queues() -> None:
    for service in SERVICES:
        may = re.compile(permissions_of(service)["configure"])
        for other in SERVICES:
            for queue in queues_of(other):
                assert bool(may.match(queue.name)) == (other == service)


async def test_dead_letters_are_listed_replayed_and_discarded(broker: Broker) -> None:
    await declared(broker)
    ids = []
    for number in range(3):
        said = wire(progressed(f"run_{number}"))
        ids.append(said.event_id)
        message = encode(said, "outbound")
        headers = {**(message.message.headers or {}), "x-attempt": 3, "x-reason": "gave up"}
        await broker.put(
            SHORT.dead_queue,
            message.message.body,
            headers=headers,
            message_id=said.event_id,
            type=said.name,
        )
    letters = await work(broker.url, "list", (SHORT,))
    assert [(letter.id, letter.attempt, letter.reason) for letter in letters] == [
        (event_id, 3, "gave up") for event_id in ids
    ]
    await eventually(lambda: has(broker, SHORT.dead_queue, 3))
    assert len(await work(broker.url, "discard", (SHORT,), ids[1])) == 1
    assert [letter.id for letter in await work(broker.url, "replay", (SHORT,), ids[2])] == [ids[2]]
    again = await broker.next_message(SHORT.name)
    headers = dict(again.headers or {})
    assert (headers["ce-id"], headers["x-attempt"]) == (ids[2], 1)
    assert "x-reason" not in headers
    await eventually(lambda: has(broker, SHORT.dead_queue, 1))


async def has(broker: Broker, queue: str, count: int) -> bool:
    return await broker.depth(queue) == count


async def test_a_hint_reaches_every_process_that_listens(broker: Broker) -> None:
    stop, heard = Stop(), [list[str](), list[str]()]
    hints = Hints(broker.url, "outbound")
    async with (
        asyncio.timeout(30),
        PublishLink(broker.url, "tests:hints") as link,
        asyncio.TaskGroup() as tasks,
    ):
        for ears in heard:
            tasks.create_task(hints.listen(ears.append, stop))

        async def said() -> bool:
            await hints.publish(link, "cancel run_1")
            return all(heard)

        await eventually(said)
        stop.set()
    assert heard[0][0] == heard[1][0] == "cancel run_1"


async def test_a_hint_that_cannot_be_said_raises_nothing(broker: Broker) -> None:
    async with PublishLink("amqp://nobody:none@127.0.0.1:1/", "tests:hints") as link:
        assert not await Hints(broker.url, "outbound").publish(link, "cancel run_1")
