"""A real sandbox, and messaging's stage on the worker's own database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest
from tests.integration.messaging.scene import Scene

from trunkline_common.db import Database
from trunkline_sandbox.process import running_sandbox


@pytest.fixture(scope="session")
def meta_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    log = tmp_path_factory.mktemp("meta") / "witness.jsonl"
    with running_sandbox(log, speed=2000, body_timeout=1) as url:
        yield url


@pytest.fixture
async def scene(messaging_database: Database, meta_url: str) -> AsyncIterator[Scene]:
    """A business whose number is registered and whose channel is open."""
    limits = aiohttp.ClientTimeout(total=10)
    async with aiohttp.ClientSession(timeout=limits, trust_env=False) as http:
        stage = Scene(messaging_database, meta_url, http)
        await stage.register()
        await stage.open_channel()
        yield stage
