"""Contacts added through the API: a draft's list grows, a run that goes on is fed in pieces."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import text
from tests.integration.api.conftest import Tenant, facts
from tests.integration.api.test_projections import hear, run_of

from trunkline_api import additions
from trunkline_common.contracts import outbound
from trunkline_common.contracts.runs import RunAdditionEnded
from trunkline_common.db import Database, transaction
from trunkline_common.testing import facts as waiting

COUNTS: dict[str, Any] = {"version": 9, "total": 2, "states": {}, "outcomes": {}}


async def people(tenant: Tenant, count: int) -> list[str]:
    made = []
    for number in range(count):
        answer = await tenant.post("/v1/contacts", {"phone": f"0171 12345{number:02d}"})
        made.append(str(answer.json()["id"]))
    return made


async def audience(database: Database, list_id: str) -> list[str]:
    query = text("SELECT contact_id FROM audience_members WHERE list_id = :r ORDER BY position")
    async with transaction(database) as session:
        return list((await session.execute(query, {"r": list_id})).scalars())


async def pieces(database: Database, tenant: Tenant) -> list[dict[str, Any]]:
    while await additions.feed_next(database):
        pass
    return [f["payload"] for f in await facts(database, tenant.id, "run.contacts_added.v1")]


@pytest.mark.parametrize("of_import", [False, True])
async def test_a_draft_grows_and_nobody_is_in_it_twice(
    tenant: Tenant, database: Database, of_import: bool
) -> None:
    """An import is nobody's to change: a draft that was for it has a list of its own from then."""
    ids = await people(tenant, 5)
    upload = (await tenant.upload(b"phone\n0171 1234500\n0171 1234501\n")).json()["id"]
    first: dict[str, Any] = {"import_id": upload} if of_import else {"contact_ids": ids[:2]}
    run = (await tenant.draft(await tenant.voice_channel(), first)).json()["id"]
    answer = await tenant.post(f"/v1/runs/{run}/contacts", {"contact_ids": [ids[3], ids[1]]})
    assert (answer.status_code, answer.json()["answer"]) == (200, {"added": 1, "rejects": 1})
    again = await tenant.post(f"/v1/runs/{run}/contacts", {"import_id": upload})
    assert again.json()["answer"] == {"added": 0, "rejects": 2}
    assert await audience(database, run) == [ids[0], ids[1], ids[3]]
    assert await audience(database, upload) == ids[:2]
    told = (await tenant.get(f"/v1/runs/{run}/controls")).json()["data"]
    assert [(one["control"], one["number"]) for one in told] == [("add", 2), ("add", 1)]
    assert not await pieces(database, tenant)


async def test_a_run_that_goes_on_is_fed_and_answered(tenant: Tenant, database: Database) -> None:
    ids = await people(tenant, 3)
    run = await run_of(tenant)
    await tenant.post(f"/v1/runs/{run}/start")
    path = f"/v1/runs/{run}/contacts"
    async with asyncio.TaskGroup() as group:
        request = group.create_task(tenant.post(path, {"contact_ids": ids[:2]}))

        async def left() -> list[dict[str, Any]]:
            return await pieces(database, tenant)

        [said] = await waiting.eventually(left)
        end = RunAdditionEnded(
            run_id=run, control_id=said["control_id"], added=1, rejects=1, total=4
        )
        await hear(database, tenant.id, end)
    assert [one["contact_id"] for one in said["contacts"]] == ids[:2]
    assert (said["piece"], said["pieces"]) == (1, 1)
    answer = request.result().json()
    assert (answer["state"], answer["answer"]) == ("done", {"added": 1, "rejects": 1, "total": 4})
    assert answer["asked"] == {"contact_ids": ids[:2]}
    assert answer["asked_by"].startswith("key_")


async def test_a_large_addition_leaves_in_numbered_pieces(
    tenant: Tenant, database: Database
) -> None:
    rows = "\n".join(f"+49171{number:07d}" for number in range(1_000))
    upload = (await tenant.upload(f"phone\n{rows}\n".encode())).json()["id"]
    run = await run_of(tenant)
    await tenant.post(f"/v1/runs/{run}/start")
    pending = await tenant.post(f"/v1/runs/{run}/contacts", {"import_id": upload})
    assert (pending.status_code, pending.json()["state"]) == (202, "pending")
    assert pending.headers["location"].endswith(pending.json()["id"])
    said = await pieces(database, tenant)
    assert [one["piece"] for one in said] == [1, 2, 3]
    assert [one["pieces"] for one in said] == [None, None, 3]
    names = [contact["contact_id"] for one in said for contact in one["contacts"]]
    assert len(names) == len(set(names)) == 1_000


async def test_what_outbound_refuses_is_a_conflict(tenant: Tenant, database: Database) -> None:
    ids = await people(tenant, 1)
    run = await run_of(tenant)
    await tenant.post(f"/v1/runs/{run}/start")
    pending = await tenant.post(f"/v1/runs/{run}/contacts", {"contact_ids": ids})
    [waited] = (await tenant.get(f"/v1/runs/{run}")).json()["waiting_for"]
    assert (waited["control"], waited["control_id"]) == ("add", pending.json()["id"])
    end = RunAdditionEnded(
        run_id=run, control_id=pending.json()["id"], added=0, rejects=0, total=1,
        refused="the run is completed",
    )  # fmt: skip
    await hear(database, tenant.id, end)
    told = (await tenant.get(pending.headers["location"])).json()
    assert (told["state"], told["reason"]) == ("refused", "the run is completed")
    assert (await tenant.get(f"/v1/runs/{run}")).json()["waiting_for"] == []
    await hear(database, tenant.id, outbound.RunCompleted(run_id=run, **COUNTS))
    late = await tenant.post(f"/v1/runs/{run}/contacts", {"contact_ids": ids})
    assert (late.status_code, late.json()["type"]) == (409, "urn:trunkline:problem:run-over")


async def test_nobody_is_added_who_lacks_what_the_texts_need(
    tenant: Tenant, database: Database
) -> None:
    named = {"phone": "0171 7654321", "first_name": "Ada"}
    first = (await tenant.post("/v1/contacts", named)).json()["id"]
    nameless = await people(tenant, 1)
    content = {"script": "Good day, {{first_name}}", "variables": {"first_name": {}}}
    drafted = await tenant.draft(
        await tenant.voice_channel(), {"contact_ids": [first]}, content=content
    )
    run = drafted.json()["id"]
    assert (await tenant.post(f"/v1/runs/{run}/start")).status_code == 202
    refused = await tenant.post(f"/v1/runs/{run}/contacts", {"contact_ids": nameless})
    assert (refused.status_code, refused.json()["type"]) == (
        422, "urn:trunkline:problem:missing-variables",
    )  # fmt: skip
    assert not await pieces(database, tenant)
    assert (
        await tenant.post(f"/v1/runs/{run}/contacts", {"contact_ids": [first]})
    ).status_code < 300


async def test_a_cancel_does_not_wait_for_the_look_at_an_import(
    tenant: Tenant, database: Database
) -> None:
    """An import may be large, and all that is told of a run goes through its row."""
    upload = (await tenant.upload(b"phone,first_name\n0171 1234500,Ada\n")).json()["id"]
    content = {"script": "Good day, {{first_name}}", "variables": {"first_name": {}}}
    audience = {"import_id": upload}
    drafted = await tenant.draft(await tenant.voice_channel(), audience, content=content)
    run = drafted.json()["id"]
    assert (await tenant.post(f"/v1/runs/{run}/start")).status_code == 202
    async with asyncio.TaskGroup() as group, transaction(database) as session:
        await session.execute(text("LOCK TABLE audience_members IN ACCESS EXCLUSIVE MODE"))
        adds = group.create_task(tenant.post(f"/v1/runs/{run}/contacts", {"import_id": upload}))
        await waiting.eventually(lambda: looks_at_the_audience(database))
        async with asyncio.timeout(5):
            cancelled = await tenant.post(f"/v1/runs/{run}/cancel")
    assert cancelled.status_code == 202
    assert adds.result().status_code in (202, 409)


async def looks_at_the_audience(database: Database) -> bool:
    query = text(
        "SELECT count(*) FROM pg_locks WHERE NOT granted"
        " AND relation = to_regclass('audience_members')"
    )
    async with transaction(database) as session:
        return bool((await session.execute(query)).scalar_one())


async def test_whom_it_is_not_for_is_refused_and_nothing_changes(
    tenant: Tenant, other: Tenant, database: Database
) -> None:
    ids = await people(tenant, 1)
    theirs = await people(other, 1)
    run = await run_of(tenant)
    path = f"/v1/runs/{run}/contacts"
    everybody = await tenant.post(path, {"contact_ids": ids})
    assert everybody.json()["type"] == "urn:trunkline:problem:everybody-is-in"
    await tenant.post(f"/v1/runs/{run}/start")
    assert (await other.post(path, {"contact_ids": theirs})).status_code == 404
    bodies: list[dict[str, Any]] = [
        {"contact_ids": theirs},
        {"contact_ids": []},
        {"import_id": "imp_none"},
        {"import_id": "x", "contact_ids": ids},
        {"all": True},
    ]
    for body in bodies:
        assert (await tenant.post(path, body)).status_code == 422, body
    for name, value in (("contact_ids", theirs), ("import_id", "imp_none")):
        refused = await tenant.post(path, {name: value})
        assert [e["pointer"] for e in refused.json()["errors"]] == [f"#/{name}"]
    assert not await pieces(database, tenant)
    told = (await tenant.get(f"/v1/runs/{run}/controls")).json()["data"]
    assert [one["control"] for one in told] == ["start"]
