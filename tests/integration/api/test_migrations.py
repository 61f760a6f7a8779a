"""A database of an older version, with rows in it, is brought up to date as it is."""

from __future__ import annotations

import os

import asyncpg

from trunkline_api.domain.states import call_rank, turn_rank
from trunkline_common.db import roles
from trunkline_common.db.migrate import migrate_async
from trunkline_common.testing.databases import at_database, drop, role_passwords

_ROWS = """
INSERT INTO api.run_contacts
       (run_id, seq, business_id, contact_id, state, outcome, reason, ended_at)
VALUES ('r', 1, 'b', 'c', 'done', 'delivered', 'x', now()),
       ('r', 2, 'b', 'c', 'unknown', NULL, 'x', now()),
       ('r', 3, 'b', 'c', 'exhausted', 'busy', 'x', now()),
       ('r', 4, 'b', 'c', 'done', NULL, 'x', now());
INSERT INTO api.calls
       (id, business_id, run_id, seq, attempt_id, state, rank, outcome, correlation_id)
VALUES ('1', 'b', 'r', 1, 'a', 'ended', 4, 'answered', 'x'),
       ('2', 'b', 'r', 1, 'a', 'dialled', 1, NULL, 'x');
INSERT INTO api.businesses (id, name, country, time_zone) VALUES ('b', 'n', 'DE', 'UTC');
INSERT INTO api.contacts (id, business_id, address) VALUES ('c', 'b', '+49');
"""


async def test_rows_of_the_first_version_get_their_ranks(postgres_url: str) -> None:
    name = f"trunkline_test_older_{os.getpid()}"
    await roles.bootstrap(postgres_url, name, role_passwords())
    owner = at_database(postgres_url, name, role=roles.owner_role("api"))
    try:
        await migrate_async(owner, "trunkline_api.migrations", schema="api", revision="0001")
        connection = await asyncpg.connect(at_database(postgres_url, name), timeout=10)
        try:
            await connection.execute(_ROWS)
            await migrate_async(owner, "trunkline_api.migrations", schema="api")
            turns = await connection.fetch("SELECT rank FROM api.run_contacts ORDER BY seq")
            calls = await connection.fetch("SELECT rank FROM api.calls ORDER BY id")
            marks = await connection.fetchval("SELECT count(added_by) FROM api.contacts")
        finally:
            await connection.close()
    finally:
        await drop(postgres_url, name)
    assert [row["rank"] for row in turns] == [
        turn_rank("done", "delivered"), turn_rank("unknown", None), turn_rank("exhausted", "busy"),
        turn_rank("done", None),
    ]  # fmt: skip
    assert [row["rank"] for row in calls] == [call_rank("ended", "answered"), call_rank("dialled")]
    assert marks == 0
