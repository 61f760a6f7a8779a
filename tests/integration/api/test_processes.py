"""Api as a process: what it says without its settings, and without its broker."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import httpx
import pytest
from tests.integration.api.conftest import OPERATOR

from trunkline_common.contracts.api import BusinessCreated
from trunkline_common.db import Database
from trunkline_common.testing import eventually
from trunkline_common.testing.brokers import Broker
from trunkline_common.topology import QUEUES

KEYS = "k1:" + base64.b64encode(b"1" * 32).decode()


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "trunkline_api", *arguments],
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_help_names_every_process() -> None:
    shown = run("--help")
    assert shown.returncode == 0
    for name in ("serve", "consume", "relay", "schedule", "migrate"):
        assert name in shown.stdout


@pytest.mark.parametrize(
    ("wrong", "variable"),
    [
        ({}, "API_DATABASE_URL"),
        ({"API_PUBLIC_URL": "api.example.com"}, "API_PUBLIC_URL"),
        ({"API_SEALING_KEYS": "k1:short"}, "API_SEALING_KEYS"),
        ({"API_OPERATOR_TOKEN": "short"}, "API_OPERATOR_TOKEN"),
    ],
)
def test_a_wrong_setting_is_one_line_and_exit_2(wrong: dict[str, str], variable: str) -> None:
    given = settings("postgresql://nobody@127.0.0.1:1/none", free_port()) if wrong else {}
    ended = run("serve", **{**given, **wrong})
    assert ended.returncode == 2
    assert variable in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert "Traceback" not in ended.stderr
    assert KEYS not in ended.stderr


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def settings(database_url: str, port: int, broker_url: str = "") -> dict[str, str]:
    return {
        "API_DATABASE_URL": database_url,
        "API_BROKER_URL": broker_url or f"amqp://nobody@127.0.0.1:{free_port()}/",
        "API_HTTP_PORT": str(port),
        "API_PUBLIC_URL": "https://api.example.com",
        "API_SEALING_KEYS": KEYS,
        "API_CALLBACK_SECRET": "callback-secret-of-the-tests",
        "API_OPERATOR_TOKEN": OPERATOR,
    }


@asynccontextmanager
async def running(command: str, environment: Mapping[str, str]) -> AsyncIterator[str]:
    """The process, until the block ends; then it must end by itself, and well."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "trunkline_api", command,
        env={"PATH": os.environ["PATH"], **environment},
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield f"http://127.0.0.1:{environment['API_HTTP_PORT']}"
        process.terminate()
        async with asyncio.timeout(20):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def answers(url: str) -> bool:
    try:
        async with httpx.AsyncClient() as client:
            return (await client.get(f"{url}/health/live", timeout=2)).status_code == 200
    except httpx.HTTPError:
        return False


async def make_business(url: str) -> httpx.Response:
    asked = {"name": "Bakery", "country": "DE", "time_zone": "Europe/Berlin"}
    async with httpx.AsyncClient() as client:
        return await client.post(
            f"{url}/v1/businesses",
            json=asked,
            headers={"Authorization": f"Bearer {OPERATOR}"},
            timeout=5,
        )


async def test_requests_are_answered_while_the_broker_is_away(
    api_database: Database, database_urls: Mapping[str, str]
) -> None:
    async with running("all", settings(database_urls["api"], free_port())) as url:
        await eventually(lambda: answers(url), within=20)
        assert (await make_business(url)).status_code == 201
        async with httpx.AsyncClient() as client:
            ready = (await client.get(f"{url}/health/ready", timeout=5)).json()
        assert ready["dependencies"]["database"] == "up"
        assert ready["dependencies"]["broker"].startswith("down")


@pytest.mark.broker
async def test_what_is_committed_reaches_the_broker(
    broker: Broker, database_urls: Mapping[str, str]
) -> None:
    async with running("all", settings(database_urls["api"], free_port(), broker.url)) as url:
        await eventually(lambda: answers(url), within=20)
        made = (await make_business(url)).json()
        hearing = next(queue for queue in QUEUES if BusinessCreated in queue.hears)
        message = await broker.next_message(hearing.name, within=15)
        assert json.loads(message.body)["business_id"] == made["id"]
