"""Recordings as processes: killed in mid-fetch, taken over, stored once, said once."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from tests.integration.recordings.provider import ACCOUNT, AUDIO, AudioProvider
from tests.integration.recordings.scene import SEALER, Scene

from trunkline_common import topology
from trunkline_common.broker.envelope import Wire
from trunkline_common.contracts.api import ChannelChanged, RecordingReported
from trunkline_common.contracts.envelope import Event
from trunkline_common.ids import ATTEMPT, new_event_id, new_id
from trunkline_common.testing import Broker, eventually

KEYS = "k1:" + base64.b64encode(b"k" * 32).decode()


@asynccontextmanager
async def running(
    command: str, environment: Mapping[str, str]
) -> AsyncIterator[asyncio.subprocess.Process]:
    """The process, until the block ends; then it must end by itself, and well."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "trunkline_recordings", command,
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
        "RECORDINGS_DATABASE_URL": database_url,
        "RECORDINGS_BROKER_URL": broker_url or "amqp://nobody@127.0.0.1:9/",
        "RECORDINGS_SEALING_KEYS": KEYS,
        "RECORDINGS_STORAGE_URL": f"file://{scene.folder}",
        "RECORDINGS_TWILIO_BASE_URL": scene.provider.url,
        "RECORDINGS_LEASE": "2",
        "RECORDINGS_RENEW_EVERY": "0.5",
    }


async def test_killed_in_mid_fetch_it_is_taken_over_and_stored_once(
    scene: Scene, provider: AudioProvider, database_urls: Mapping[str, str]
) -> None:
    provider.answers.append(provider.stall)
    await scene.report()
    environment = settings(database_urls["recordings"], scene)
    async with running("fetch", environment) as first:
        async with asyncio.timeout(20):
            await provider.half_way.wait()
        first.send_signal(signal.SIGKILL)
        await first.wait()
    assert await scene.states() == {"fetching": 1}
    async with running("fetch", environment):
        await eventually(lambda: _stored(scene), within=30)
    assert await scene.rows("SELECT tries, token FROM recordings") == [(2, 2)]
    assert await scene.facts() == ["recording.stored.v1"]
    kept = [path for path in scene.files() if ".partial" not in path.parts]
    assert [path.read_bytes() == AUDIO for path in kept] == [True]


async def _stored(scene: Scene) -> bool:
    return await scene.states() == {"stored": 1}


@pytest.mark.broker
async def test_from_the_report_to_the_fact_over_the_broker(
    scene: Scene, broker: Broker, database_urls: Mapping[str, str]
) -> None:
    await scene.change("DELETE FROM channels")
    environment = settings(database_urls["recordings"], scene, broker.url)
    async with running("all", environment):
        for event in (reported(scene), changed(scene)):  # the wrong way round on purpose
            await broker.publish(wire(scene, event), "api")
        message = await broker.next_message(topology.API_PROJECTIONS.name, within=30)
    said = json.loads(message.body)
    assert (said["size"], said["sha256"]) == (len(AUDIO), scene.provider.sum)
    assert message.correlation_id == "corr-1"


def test_help_names_every_process() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "trunkline_recordings", "--help"],
        env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, timeout=30, check=True,
    )  # fmt: skip
    for name in ("consume", "fetch", "relay", "schedule", "serve", "migrate"):
        assert name in shown.stdout


@pytest.mark.parametrize(
    ("wrong", "variable"),
    [
        ({"RECORDINGS_STORAGE_URL": "ftp://x"}, "RECORDINGS_STORAGE_URL"),
        ({"RECORDINGS_SEALING_KEYS": "k1:short"}, "RECORDINGS_SEALING_KEYS"),
        ({"RECORDINGS_TWILIO_BASE_URL": "api.twilio.com"}, "RECORDINGS_TWILIO_BASE_URL"),
    ],
)
def test_a_wrong_setting_is_one_line_and_exit_2(wrong: dict[str, str], variable: str) -> None:
    given = {
        "RECORDINGS_DATABASE_URL": "postgresql://nobody@127.0.0.1:9/none",
        "RECORDINGS_BROKER_URL": "amqp://nobody@127.0.0.1:9/",
        "RECORDINGS_SEALING_KEYS": KEYS,
        "RECORDINGS_STORAGE_URL": "file:///nowhere",
    }
    ended = subprocess.run(
        [sys.executable, "-m", "trunkline_recordings", "fetch"],
        env={"PATH": os.environ["PATH"], **given, **wrong},
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert ended.returncode == 2
    assert variable in ended.stderr
    assert ended.stderr.count("\n") == 1


def wire(scene: Scene, event: Event) -> Wire:
    return Wire(
        event_id=new_event_id(),
        name=event.name,
        subject=event.subject,
        payload=event.model_dump_json(),
        business_id=scene.business_id,
        occurred_at=datetime.now(UTC),
        correlation_id="corr-1",
    )


def reported(scene: Scene) -> RecordingReported:
    return RecordingReported(
        provider_recording_id="RE" + "a" * 32,
        provider_call_id="CA" + "a" * 32,
        account=ACCOUNT,
        channel_id=scene.channel_id,
        attempt_id=new_id(ATTEMPT),
        status="completed",
    )


def changed(scene: Scene) -> ChannelChanged:
    key_id, sealed = SEALER.seal({"auth_token": "an auth token"}, scene.channel_id)
    return ChannelChanged(
        channel_id=scene.channel_id,
        kind="voice",
        version=7,
        account=ACCOUNT,
        senders=("+15005550006",),
        key_id=key_id,
        sealed=sealed,
    )
