"""Outbound's stage, on the worker's own database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import aiohttp
import asyncpg
import pytest
import pytest_asyncio
from tests.integration.outbound.scene import Scene
from tests.integration.outbound.stage import Stage

from trunkline_common.db import Database
from trunkline_sandbox.process import running_sandbox


@pytest.fixture
async def scene(outbound_database: Database) -> Scene:
    """A business with an open voice channel."""
    stage = Scene(outbound_database)
    await stage.open_channel()
    return stage


@pytest.fixture(scope="session")
def twilio_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    log = tmp_path_factory.mktemp("twilio") / "witness.jsonl"
    with running_sandbox(log, speed=20, seed=3) as url:
        yield url


@pytest.fixture
async def stage(outbound_database: Database, twilio_url: str) -> AsyncIterator[Stage]:
    scene = Scene(outbound_database, account="AC" + uuid4().hex)
    limits = aiohttp.ClientTimeout(total=10)
    async with aiohttp.ClientSession(timeout=limits, trust_env=False) as http:
        stage = Stage(scene, twilio_url, http)
        account = {
            "account_sid": scene.account,
            "auth_token": "secret",
            "numbers": ["+15005550006"],
        }
        await stage.post("/sandbox/twilio/accounts", account)
        await scene.open_channel()
        yield stage


@pytest_asyncio.fixture
async def owner(scene: Scene, postgres_url: str) -> AsyncIterator[asyncpg.Connection]:
    """Somebody who may take away what services may not: the months of the past, at the end."""
    name = await scene.value("SELECT current_database()")
    connection = await asyncpg.connect(
        postgres_url, database=str(name), server_settings={"search_path": "outbound"}, timeout=10
    )
    yield connection
    for part in await connection.fetch("SELECT * FROM partitions WHERE cohort < '2021'"):
        await connection.execute(f"DROP TABLE {part['whole']}_{part['cohort']}")
    await connection.close()
