"""A small service of the tests' own: outbox, inbox, leases, pace, and a table of effects."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator

import asyncpg
import pytest
import pytest_asyncio

from trunkline_common.db import inbox, leases, outbox, pace
from trunkline_common.db.engine import Database, open_database
from trunkline_common.testing import databases

EFFECTS = """
CREATE TABLE effects (
    run_id text NOT NULL, event_id text NOT NULL, note text CHECK (note NOT LIKE '%Anna%')
);
"""


async def _make(url: str, name: str) -> None:
    server = await asyncpg.connect(url)
    await server.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    await server.execute(f'CREATE DATABASE "{name}"')
    await server.close()
    inside = await asyncpg.connect(databases.at_database(url, name))
    for table in (outbox.TABLE_V1, inbox.TABLE_V1, leases.TABLE_V1, pace.TABLE_V1, EFFECTS):
        await inside.execute(table)
    await inside.close()


@pytest.fixture(scope="session")
def small_service(postgres_url: str) -> Iterator[str]:
    name = f"trunkline_test_common_{os.getpid()}"
    asyncio.run(_make(postgres_url, name))
    yield databases.at_database(postgres_url, name)
    asyncio.run(databases.drop(postgres_url, name))


@pytest_asyncio.fixture
async def database_url(small_service: str) -> str:
    await databases.empty(small_service, ("public",))
    return small_service


@pytest_asyncio.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with open_database(database_url, application="test:common") as opened:
        yield opened
