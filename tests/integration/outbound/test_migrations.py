"""Rows that an earlier version wrote are worth as much after a migration."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

import asyncpg
import pytest_asyncio

from trunkline_common.db import roles
from trunkline_common.db.migrate import migrate_async
from trunkline_common.ids import account_scope
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
