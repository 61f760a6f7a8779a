"""Migrations and roles on a real server: who makes tables, who only writes rows."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from trunkline_common.db import roles
from trunkline_common.db.migrate import migrate_async
from trunkline_common.testing import databases

FIRST = '''
from alembic import op
revision, down_revision, branch_labels, depends_on = "0001", None, None, None

def upgrade():
    op.execute("""
        CREATE TABLE one (id text);
        CREATE TABLE two (id bigint GENERATED ALWAYS AS IDENTITY);
    """)
    op.execute("CREATE TABLE three (id text)")
'''
BROKEN = """
from alembic import op
revision, down_revision, branch_labels, depends_on = "0002", "0001", None, None

def upgrade():
    op.execute("CREATE TABLE four (id text)")
    op.execute("SELECT no_such_thing")
"""


@pytest_asyncio.fixture
async def own_database(postgres_url: str) -> AsyncIterator[str]:
    name = f"trunkline_test_schema_{os.getpid()}"
    await roles.bootstrap(postgres_url, name, databases.role_passwords())
    yield databases.at_database(postgres_url, name)
    await databases.drop(postgres_url, name)


@pytest.fixture
def package(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """A package of migrations that nobody ships."""
    name = f"shipped_{os.getpid()}_{abs(hash(request.node.nodeid))}"
    versions = tmp_path / name / "versions"
    versions.mkdir(parents=True)
    (tmp_path / name / "__init__.py").write_text("")
    (versions / "0001_first.py").write_text(FIRST)
    sys.path.insert(0, str(tmp_path))
    yield name
    sys.path.remove(str(tmp_path))


def owner(url: str, service: str = "outbound") -> str:
    return databases.at_database(url, url.rpartition("/")[2], role=roles.owner_role(service))


def application(url: str, service: str = "outbound") -> str:
    return databases.at_database(url, url.rpartition("/")[2], role=roles.app_role(service))


async def test_replicas_may_race_to_migrate(own_database: str, package: str) -> None:
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        for _ in range(3):
            tasks.create_task(migrate_async(owner(own_database), package, schema="outbound"))
    await migrate_async(owner(own_database), package, schema="outbound")
    connection = await asyncpg.connect(application(own_database))
    try:
        assert await connection.fetchval("SELECT count(*) FROM outbound.one") == 0
        await connection.execute("INSERT INTO two DEFAULT VALUES")
        assert await connection.fetchval("SELECT id FROM two") == 1
        await connection.execute("INSERT INTO three VALUES ('x')")
        versions = await connection.fetch("SELECT version_num FROM outbound.alembic_version")
        assert [row["version_num"] for row in versions] == ["0001"]
    finally:
        await connection.close()


async def test_a_migration_that_fails_leaves_nothing(
    own_database: str, package: str, tmp_path: Path
) -> None:
    (tmp_path / package / "versions" / "0002_broken.py").write_text(BROKEN)
    with pytest.raises(Exception, match="no_such_thing"):
        await migrate_async(owner(own_database), package, schema="outbound")
    connection = await asyncpg.connect(application(own_database))
    try:
        assert await connection.fetchval("SELECT to_regclass('outbound.one')") is None
        assert await connection.fetchval("SELECT to_regclass('outbound.four')") is None
    finally:
        await connection.close()


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE mine (id text)",
        "DROP TABLE one",
        "ALTER TABLE one ADD COLUMN x text",
        "TRUNCATE one",
        "SELECT * FROM messaging.anything",
        "CREATE TABLE public.mine (id text)",
        "CREATE SCHEMA mine",
        "CREATE ROLE mine",
    ],
)
async def test_an_application_role_changes_rows_and_nothing_else(
    own_database: str, package: str, statement: str
) -> None:
    await migrate_async(owner(own_database), package, schema="outbound")
    connection = await asyncpg.connect(application(own_database))
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)
    finally:
        await connection.close()


async def test_another_service_sees_nothing_of_it(own_database: str, package: str) -> None:
    await migrate_async(owner(own_database), package, schema="outbound")
    for url in (application(own_database, "messaging"), owner(own_database, "messaging")):
        connection = await asyncpg.connect(url)
        try:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.fetch("SELECT * FROM outbound.one")
        finally:
            await connection.close()


async def test_bootstrapping_twice_changes_passwords_and_no_more(own_database: str) -> None:
    superuser, name = own_database.rpartition("/")[0] + "/postgres", own_database.rpartition("/")[2]
    await roles.bootstrap(superuser, name, databases.role_passwords())
    connection = await asyncpg.connect(application(own_database))
    await connection.close()
