"""A real sandbox process, and a customer with a web server of its own for each test."""

from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest
from tests.integration.sandbox.customers import Customer, register
from tests.integration.sandbox.listener import Listener, listening

from trunkline_sandbox.process import running_sandbox


@pytest.fixture(scope="session")
def sandbox_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    log = tmp_path_factory.mktemp("sandbox") / "witness.jsonl"
    with running_sandbox(log, speed=400, body_timeout=0.4, callback_timeout=2) as url:
        yield url


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    async with listening() as listener:
        yield listener


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    limits = aiohttp.ClientTimeout(total=10)
    async with aiohttp.ClientSession(timeout=limits, trust_env=False) as session:
        yield session


@pytest.fixture
async def customer(
    sandbox_url: str, listener: Listener, session: aiohttp.ClientSession
) -> Customer:
    return await register(session, sandbox_url, listener)
