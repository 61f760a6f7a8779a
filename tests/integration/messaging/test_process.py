"""Messaging as processes: from the request to the fact, and killed while a message is leaving."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from tests.integration.messaging.scene import Scene

from trunkline_common import topology
from trunkline_common.broker.envelope import Wire
from trunkline_common.contracts.api import MessageRequested, MessageStatusReported
from trunkline_common.contracts.envelope import Event
from trunkline_common.ids import MESSAGE, new_event_id, new_id
from trunkline_common.testing import Broker, eventually

KEYS = "k1:" + base64.b64encode(b"k" * 32).decode()


@asynccontextmanager
async def running(
    command: str, environment: Mapping[str, str]
) -> AsyncIterator[asyncio.subprocess.Process]:
    """The process, until the block ends; then it must end by itself, and well."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "trunkline_messaging", command,
        env={"PATH": os.environ["PATH"], **environment},
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield process
        if process.returncode is None:
            process.terminate()
            async with asyncio.timeout(20):
                assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def settings(database_url: str, scene: Scene, broker_url: str = "") -> dict[str, str]:
    return {
        "MESSAGING_DATABASE_URL": database_url,
        "MESSAGING_BROKER_URL": broker_url or "amqp://nobody@127.0.0.1:9/",
        "MESSAGING_SEALING_KEYS": KEYS,
        "MESSAGING_META_BASE_URL": f"{scene.sandbox}/v23.0",
        "MESSAGING_SEND_DEADLINE": "1",
        "MESSAGING_ANSWER_TIMEOUT": "1.5",
        "MESSAGING_LEASE": "3",
        "MESSAGING_SWEEP_EVERY": "0.3",
    }


async def test_killed_while_messages_leave_none_is_sent_twice(
    scene: Scene, database_urls: Mapping[str, str]
) -> None:
    await scene.fault("delay_answer", milliseconds=1000, probability=0.5)
    attempts = await scene.run_messages(120)
    environment = settings(database_urls["messaging"], scene) | {
        "MESSAGING_SEND_CONCURRENCY": "20",
        "MESSAGING_MICRO_BATCH": "10",
    }
    async with running("send", environment) as first:
        await eventually(lambda: _witnessed(scene, 30), within=20)
        first.send_signal(signal.SIGKILL)
        await first.wait()
    assert (await scene.states())["sending"] > 0
    async with running("send", environment):
        await eventually(lambda: _settled(scene, len(attempts)), within=40)
    sent = Counter(e["reference"] for e in await scene.accepted())
    assert max(sent.values()) == 1
    states = await scene.states()
    assert states["in_doubt"] > 0
    for entry in await scene.accepted():
        await scene.report("delivered", entry["sid"], entry["reference"])
    await scene.fold()
    facts = await scene.facts()
    assert facts.count("message.accepted.v1") == facts.count("message.delivered.v1") == len(sent)


async def _witnessed(scene: Scene, count: int) -> bool:
    return len(await scene.accepted()) >= count


async def _settled(scene: Scene, count: int) -> bool:
    states = await scene.states()
    return states.get("accepted", 0) + states.get("in_doubt", 0) == count


@pytest.mark.broker
async def test_from_the_request_to_the_facts_over_the_broker(
    scene: Scene, broker: Broker, database_urls: Mapping[str, str]
) -> None:
    asked = MessageRequested(
        message_id=new_id(MESSAGE), channel_id=scene.channel_id, to="+12025550000", text="hello"
    )
    async with running("all", settings(database_urls["messaging"], scene, broker.url)):
        await broker.publish(_wire(scene, asked), "api")
        first = await broker.next_message(topology.API_PROJECTIONS.name, within=30)
        accepted = json.loads(first.body)
        reported = MessageStatusReported(
            provider_message_id=accepted["provider_message_id"],
            channel_id=scene.channel_id,
            attempt_id=accepted["attempt_id"],
            status="delivered",
        )
        await broker.publish(_wire(scene, reported), "api")
        second = await broker.next_message(topology.API_PROJECTIONS.name, within=30)
    assert accepted["message_id"] == json.loads(second.body)["message_id"] == asked.message_id
    types = [m.type for m in (first, second)]
    assert types == ["message.accepted.v1", "message.delivered.v1"]
    assert second.correlation_id == "corr-1"


def test_help_names_every_process() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "trunkline_messaging", "--help"],
        env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, timeout=30, check=True,
    )  # fmt: skip
    for name in ("consume", "send", "relay", "schedule", "serve", "migrate"):
        assert name in shown.stdout


@pytest.mark.parametrize(
    ("wrong", "variable"),
    [
        ({"MESSAGING_SEALING_KEYS": "k1:short"}, "MESSAGING_SEALING_KEYS"),
        ({"MESSAGING_META_BASE_URL": "graph.facebook.com"}, "MESSAGING_META_BASE_URL"),
        ({"MESSAGING_LEASE": "5"}, "LEASE"),
    ],
)
def test_a_wrong_setting_is_one_line_and_exit_2(wrong: dict[str, str], variable: str) -> None:
    given = {
        "MESSAGING_DATABASE_URL": "postgresql://nobody@127.0.0.1:9/none",
        "MESSAGING_BROKER_URL": "amqp://nobody@127.0.0.1:9/",
        "MESSAGING_SEALING_KEYS": KEYS,
    }
    ended = subprocess.run(
        [sys.executable, "-m", "trunkline_messaging", "send"],
        env={"PATH": os.environ["PATH"], **given, **wrong},
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert ended.returncode == 2
    assert variable in ended.stderr
    assert ended.stderr.count("\n") == 1


def _wire(scene: Scene, event: Event) -> Wire:
    return Wire(
        event_id=new_event_id(),
        name=event.name,
        subject=event.subject,
        payload=event.model_dump_json(),
        business_id=scene.business_id,
        occurred_at=datetime.now(UTC),
        correlation_id="corr-1",
    )
