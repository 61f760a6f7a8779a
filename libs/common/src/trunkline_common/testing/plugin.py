"""The pytest plugin: fixtures for real servers, whose addresses the environment gives."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass

import pytest
import pytest_asyncio

from trunkline_common.db.engine import Database, open_database
from trunkline_common.testing.brokers import Broker, virtual_host
from trunkline_common.testing.databases import cloned, empty

POSTGRES = "TRUNKLINE_TEST_POSTGRES_URL"
AMQP = "TRUNKLINE_TEST_AMQP_URL"
MANAGEMENT = "TRUNKLINE_TEST_MANAGEMENT_URL"


@dataclass(frozen=True, slots=True)
class Cloned:
    """This worker's database."""

    superuser_url: str
    urls: Mapping[str, str]


def _given(variable: str) -> str:
    value = os.environ.get(variable)
    if not value:
        pytest.fail(f"{variable} is not set: `make test` starts the servers", pytrace=False)
    return value


def _label() -> str:
    return f"{os.environ.get('PYTEST_XDIST_WORKER', 'main')}_{os.getpid()}"


@pytest.fixture(scope="session")
def postgres_url() -> str:
    """The superuser's URL of the test server."""
    return _given(POSTGRES)


@pytest.fixture(scope="session")
def cloned_database(postgres_url: str) -> Iterator[Cloned]:
    """A database with all services migrated, of this worker alone."""
    with cloned(postgres_url, _label()) as (superuser_url, urls):
        yield Cloned(superuser_url, urls)


@pytest_asyncio.fixture
async def database_urls(cloned_database: Cloned) -> Mapping[str, str]:
    """Each service's URL with its application role; every table is empty."""
    await empty(cloned_database.superuser_url)
    return cloned_database.urls


@pytest.fixture(scope="session")
def worker_broker() -> Iterator[Broker]:
    """A virtual host of this worker, with the whole topology."""
    with virtual_host(_given(AMQP), _given(MANAGEMENT), f"test-{_label()}") as made:
        yield made


@pytest_asyncio.fixture
async def broker(worker_broker: Broker) -> AsyncIterator[Broker]:
    """This worker's virtual host, with every queue empty."""
    async with worker_broker.opened() as opened:
        await opened.purge()
        yield opened


async def _database(urls: Mapping[str, str], service: str) -> AsyncIterator[Database]:
    async with open_database(urls[service], application=f"test:{service}") as database:
        yield database


@pytest_asyncio.fixture
async def api_database(database_urls: Mapping[str, str]) -> AsyncIterator[Database]:
    """api's database, empty."""
    async for database in _database(database_urls, "api"):
        yield database


@pytest_asyncio.fixture
async def outbound_database(database_urls: Mapping[str, str]) -> AsyncIterator[Database]:
    """outbound's database, empty."""
    async for database in _database(database_urls, "outbound"):
        yield database


@pytest_asyncio.fixture
async def messaging_database(database_urls: Mapping[str, str]) -> AsyncIterator[Database]:
    """messaging's database, empty."""
    async for database in _database(database_urls, "messaging"):
        yield database


@pytest_asyncio.fixture
async def recordings_database(database_urls: Mapping[str, str]) -> AsyncIterator[Database]:
    """recordings' database, empty."""
    async for database in _database(database_urls, "recordings"):
        yield database
