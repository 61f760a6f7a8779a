"""Rows that an earlier version wrote are worth as much after a migration."""

from __future__ import annotations

import importlib
import os
from collections.abc import AsyncIterator

import asyncpg
import pytest_asyncio
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, event
from sqlalchemy.ext.asyncio import create_async_engine

from trunkline_common.db import roles
from trunkline_common.db.migrate import _whole_scripts, migrate_async
from trunkline_common.ids import RUN, account_scope, new_id
from trunkline_common.testing import databases

CHANNEL = (
    "INSERT INTO channels (channel_id, business_id, kind, version, account, senders, key_id,"
    " sealed, per_second, concurrent, enabled) VALUES ($1, $2, 'voice', 1, 'AC1', '{+1}', 'k', '',"
    " $3, $4, true)"
)
ATTEMPT = (
    "INSERT INTO attempts (attempt_id, business_id, run_id, seq, contact_id, claim_id, channel_id,"
    " account, from_number, to_number, send_deadline, correlation_id) VALUES ($1, $2, 'run_1', $3,"
    " 'con_1', 1, 'chn_1', 'AC1', '+1', '+2', now(), 'corr')"
)


@pytest_asyncio.fixture
async def first_version(postgres_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A schema at its first revision, to be written as the version of then did."""
    name = f"trunkline_test_steps_{os.getpid()}"
    await roles.bootstrap(postgres_url, name, databases.role_passwords())
    url = databases.at_database(postgres_url, name, role=roles.owner_role("outbound"))
    await migrate_async(url, "trunkline_outbound.migrations", schema="outbound", revision="0001")
    connection = await asyncpg.connect(url, server_settings={"search_path": "outbound"}, timeout=10)
    yield connection
    await connection.close()
    await databases.drop(postgres_url, name)


async def _to_head(connection: asyncpg.Connection) -> None:
    name = await connection.fetchval("SELECT current_database()")
    server = os.environ["TRUNKLINE_TEST_POSTGRES_URL"]
    url = databases.at_database(server, name, role=roles.owner_role("outbound"))
    await migrate_async(url, "trunkline_outbound.migrations", schema="outbound")


async def test_what_businesses_shared_is_divided_by_whose_it_is(
    first_version: asyncpg.Connection,
) -> None:
    await first_version.execute(CHANNEL, "chn_1", "biz_a", 50.0, 10)
    await first_version.execute(CHANNEL, "chn_2", "biz_b", 0.5, 1)
    await first_version.execute("INSERT INTO limits VALUES ('account', 'AC1', 1, 3)")
    await first_version.execute("INSERT INTO limits VALUES ('run', 'run_1', 5, 3)")
    await first_version.execute("INSERT INTO pace VALUES ('AC1', 0.5, 'tomorrow')")
    await first_version.execute("INSERT INTO pace VALUES ('run_1', 2)")
    for seq, (attempt_id, business_id) in enumerate(
        [("att_1", "biz_a"), ("att_2", "biz_a"), ("att_3", "biz_b")]
    ):
        await first_version.execute(ATTEMPT, attempt_id, business_id, seq)
        await first_version.execute("INSERT INTO slots VALUES ($1, 'run_1', 'AC1')", attempt_id)
        open_send = "INSERT INTO open_sends VALUES ('AC1', $1, '+2', $1)"
        await first_version.execute(open_send, attempt_id)
    await _to_head(first_version)
    a, b = account_scope("biz_a", "AC1"), account_scope("biz_b", "AC1")
    limits = await first_version.fetch("SELECT id, cap, in_use FROM limits WHERE kind = 'account'")
    assert {tuple(row) for row in limits} == {("AC1", 1, 0), (a, 10, 2), (b, 1, 1)}
    assert await first_version.fetchval("SELECT in_use FROM limits WHERE kind = 'run'") == 3
    slots = await first_version.fetch("SELECT attempt_id, account FROM slots")
    assert {tuple(row) for row in slots} == {("att_1", a), ("att_2", a), ("att_3", b)}
    pace = await first_version.fetch("SELECT sender, per_second, tat > now() FROM pace")
    assert {tuple(row) for row in pace} >= {(a, 50.0, True), (b, 0.5, True), ("run_1", 2.0, False)}
    sends = await first_version.fetch("SELECT attempt_id, business_id FROM open_sends")
    assert {tuple(row) for row in sends} == {
        ("att_1", "biz_a"),
        ("att_2", "biz_a"),
        ("att_3", "biz_b"),
    }


async def test_the_version_that_is_running_goes_on_after_the_migration(
    first_version: asyncpg.Connection,
) -> None:
    await first_version.execute(CHANNEL, "chn_1", "biz_a", 50.0, 10)
    await first_version.execute("INSERT INTO limits VALUES ('account', 'AC1', 10, 0)")
    await _to_head(first_version)
    await first_version.execute(
        "INSERT INTO open_sends (account, from_number, to_number, attempt_id)"
        " VALUES ('AC1', '+1', '+2', 'att_1') ON CONFLICT DO NOTHING"
    )
    await first_version.execute(
        "INSERT INTO provider_calls (account, provider_id, attempt_id, business_id)"
        " VALUES ('AC1', 'CA1', 'att_1', 'biz_a') ON CONFLICT DO NOTHING"
    )
    await first_version.execute("UPDATE limits SET in_use = in_use + 1 WHERE id = 'AC1'")
    await first_version.execute(CHANNEL, "chn_2", "biz_b", 1.0, 1)


JOB = (
    "INSERT INTO jobs (run_id, seq, business_id, contact_id, address)"
    " VALUES ($1, 1, 'biz_a', 'con_1', '+1')"
)
DECISION = (
    "INSERT INTO decisions (business_id, run_id, seq, decision, rule)"
    " VALUES ('biz_a', $1, 1, 'deferred', 'out_of_window') RETURNING position"
)


async def test_what_is_there_becomes_the_first_month_and_is_found_again_after_a_way_back(
    first_version: asyncpg.Connection,
) -> None:
    run_id = new_id(RUN)
    for key in (run_id, "run_of_another_form"):
        await first_version.execute(JOB, key)
    position = await first_version.fetchval(DECISION, run_id)
    await _to_head(first_version)
    place = "SELECT CAST(CAST(tableoid AS regclass) AS text) FROM jobs ORDER BY run_id"
    rows = await first_version.fetch(place)
    assert [row[0] for row in rows] == ["jobs_first", "jobs_default"]
    later = await first_version.fetchval(DECISION, run_id)
    assert later > position
    await _back(first_version, "0090_cohorts")
    assert [row[0] for row in await first_version.fetch(place)] == ["jobs", "jobs"]
    assert await first_version.fetchval(DECISION, run_id) > later


async def _back(connection: asyncpg.Connection, name: str) -> None:
    """Undo one step."""
    database = await connection.fetchval("SELECT current_database()")
    server = os.environ["TRUNKLINE_TEST_POSTGRES_URL"]
    url = databases.at_database(server, database, role=roles.owner_role("outbound"))
    step = importlib.import_module(f"trunkline_outbound.migrations.versions.{name}")
    engine = create_async_engine(url.replace("postgresql:", "postgresql+asyncpg:"))
    event.listen(engine.sync_engine, "do_execute", _whole_scripts)

    def undo(within: Connection) -> None:
        with Operations.context(MigrationContext.configure(within)):
            step.downgrade()

    async with engine.begin() as within:
        await within.run_sync(undo)
    await engine.dispose()
