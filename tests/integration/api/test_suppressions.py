"""Suppressions through the API: whole or not at all, once, and with who and when."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from tests.integration.api.conftest import Tenant, facts
from tests.integration.api.test_projections import hear, run_of
from tests.integration.api.test_tenants import problem

from trunkline_api.routes.suppressions import MOST
from trunkline_api.store import suppressions as store
from trunkline_common.contracts import outbound
from trunkline_common.db import Database, transaction
from trunkline_common.ids import CONTACT, RUN, SUPPRESSION, new_id
from trunkline_common.testing import facts as waiting

PATH = "/v1/suppressions"
NUMBER = {"kind": "address", "value": "0171 1234567"}


async def lift(tenant: Tenant, suppression_id: str) -> httpx.Response:
    return await tenant.http.delete(f"{PATH}/{suppression_id}", headers=tenant.headers)


async def listed(tenant: Tenant, **query: str) -> list[str]:
    answer = await tenant.get(PATH, params=query)
    assert answer.status_code == 200, answer.text
    return [one["value"] for one in answer.json()["data"]]


async def said(database: Database, tenant: Tenant, name: str = "suppressed") -> list[Any]:
    return await facts(database, tenant.id, f"contact.{name}.v1")


async def contact_of(tenant: Tenant) -> str:
    return str((await tenant.post("/v1/contacts", {"phone": NUMBER["value"]})).json()["id"])


async def test_one_is_kept_with_who_and_when_and_said(tenant: Tenant, database: Database) -> None:
    details = {"source": "opt_out", "reason": "asked on the phone", "evidence": "call 7"}
    made = await tenant.post(PATH, {**NUMBER, **details})
    assert (made.status_code, made.json()["added"]) == (201, 1)
    [one] = made.json()["data"]
    assert {**one, **details} == one
    assert one["value"] == "+491711234567"
    assert one["suppressed_by"].startswith("key_")
    assert one["suppressed_at"]
    assert (one["lifted_by"], one["lifted_at"]) == (None, None)
    assert (await tenant.get(f"{PATH}/{one['id']}")).json() == one
    [fact] = await said(database, tenant)
    assert (fact["subject"], fact["sequence"]) == (one["id"], 1)
    assert fact["payload"] == {
        "suppression_id": one["id"],
        "kind": "address",
        "value": "+491711234567",
        "run_id": None,
        "channel": None,
        "version": 1,
        **details,
    }


async def test_the_same_again_answers_the_existing_one(tenant: Tenant, database: Database) -> None:
    first = await tenant.post(PATH, NUMBER)
    again = await tenant.post(PATH, {"kind": "address", "value": "+49 171 1234567", "reason": "x"})
    assert (again.status_code, again.json()["added"]) == (200, 0)
    assert again.json()["data"] == first.json()["data"]
    assert len(await said(database, tenant)) == 1


async def test_every_run_and_channel_is_a_suppression_of_its_own(
    tenant: Tenant, database: Database
) -> None:
    run = await run_of(tenant)
    entries = [
        {**NUMBER, **more}
        for more in ({}, {"run_id": run}, {"channel": "voice"}, {"channel": "whatsapp"})
    ]
    made = await tenant.post(PATH, {"entries": entries, "source": "import"})
    assert (made.status_code, made.json()["added"]) == (201, 4)
    told = made.json()["data"]
    lists = [(one["run_id"], one["channel"]) for one in told]
    assert lists == [(None, None), (run, None), (None, "voice"), (None, "whatsapp")]
    assert {one["source"] for one in told} == {"import"}
    assert len(await said(database, tenant)) == 4


async def test_a_contact_and_a_prefix(tenant: Tenant) -> None:
    contact = await contact_of(tenant)
    entries = [{"kind": "contact", "value": contact}, {"kind": "prefix", "value": "+49 90*"}]
    made = await tenant.post(PATH, {"entries": entries})
    assert [one["value"] for one in made.json()["data"]] == [contact, "+4990"]
    assert await listed(tenant, kind="contact") == [contact]


async def test_a_list_is_taken_whole_or_not_at_all(tenant: Tenant, database: Database) -> None:
    entries = [
        NUMBER,
        {"kind": "address", "value": "12"},
        {"kind": "prefix", "value": "4990"},
        {"kind": "contact", "value": new_id(CONTACT)},
        {**NUMBER, "run_id": new_id(RUN)},
    ]
    answer = await tenant.post(PATH, {"entries": entries})
    assert answer.status_code == 422
    faults = problem(answer)["errors"]
    assert isinstance(faults, list)
    assert [fault["pointer"] for fault in faults] == [
        "#/entries/1/value",
        "#/entries/2/value",
        "#/entries/3/value",
        "#/entries/4/run_id",
    ]
    assert await listed(tenant) == []
    assert not await said(database, tenant)


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"kind": "address", "value": "12"}, "#/value"),
        ({"kind": "colour", "value": "red"}, "#/kind"),
        ({"kind": "address", "value": "x" * 201}, "#/value"),
        ({**NUMBER, "channel": "pigeon"}, "#/channel"),
        ({**NUMBER, "source": "Not a name"}, "#/source"),
        ({**NUMBER, "colour": "red"}, "#/colour"),
        ({**NUMBER, "run_id": "run_x"}, "#/run_id"),
        ({**NUMBER, "entries": [NUMBER]}, "#"),
        ({"kind": "address"}, "#"),
        ({"kind": "address", "entries": [NUMBER]}, "#"),
        ({}, "#"),
        ({"entries": []}, "#/entries"),
        ({"entries": [NUMBER] * (MOST + 1)}, "#/entries"),
        ({"entries": [NUMBER, {"kind": "address"}]}, "#/entries/1/value"),
    ],
)
async def test_a_wrong_request_is_told_the_place(
    tenant: Tenant, wrong: dict[str, Any], pointer: str
) -> None:
    answer = await tenant.post(PATH, wrong)
    assert answer.status_code == 422
    faults = problem(answer)["errors"]
    assert isinstance(faults, list)
    assert [fault["pointer"] for fault in faults] == [pointer]


async def test_a_thousand_with_repetitions_in_the_list(tenant: Tenant, database: Database) -> None:
    numbers = [f"+4917112{number:05d}" for number in range(MOST - 1)]
    entries = [{"kind": "address", "value": number} for number in [*numbers, numbers[0]]]
    made = await tenant.post(PATH, {"entries": entries})
    assert (made.status_code, made.json()["added"]) == (201, MOST - 1)
    assert [one["value"] for one in made.json()["data"]] == [*numbers, numbers[0]]
    assert len(await said(database, tenant)) == MOST - 1


async def test_lifting_is_said_once_and_remembers_who(tenant: Tenant, database: Database) -> None:
    [one] = (await tenant.post(PATH, NUMBER)).json()["data"]
    assert (await lift(tenant, one["id"])).status_code == 204
    assert (await lift(tenant, one["id"])).status_code == 404
    assert await listed(tenant) == []
    told = (await tenant.get(f"{PATH}/{one['id']}")).json()
    assert told["lifted_by"] == one["suppressed_by"]
    assert told["lifted_at"] > one["suppressed_at"]
    [fact] = await said(database, tenant, "unsuppressed")
    assert (fact["payload"]["version"], fact["sequence"]) == (2, 2)
    assert fact["payload"]["value"] == "+491711234567"


async def test_versions_grow_over_every_suppressing_and_lifting(
    tenant: Tenant, database: Database
) -> None:
    ids = []
    for _ in range(3):
        [one] = (await tenant.post(PATH, NUMBER)).json()["data"]
        ids.append(one["id"])
        await lift(tenant, one["id"])
    assert len(set(ids)) == 3
    on, off = await said(database, tenant), await said(database, tenant, "unsuppressed")
    assert [fact["payload"]["version"] for fact in on] == [1, 3, 5]
    assert [fact["payload"]["version"] for fact in off] == [2, 4, 6]


async def test_who_suppresses_and_lifts_at_once_agree_on_an_order(
    tenant: Tenant, database: Database
) -> None:
    async def back_and_forth() -> None:
        for _ in range(5):
            [one] = (await tenant.post(PATH, NUMBER)).json()["data"]
            await lift(tenant, one["id"])

    async with asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(back_and_forth())
    history = await said(database, tenant) + await said(database, tenant, "unsuppressed")
    versions = sorted(fact["payload"]["version"] for fact in history)
    assert versions == list(range(1, len(versions) + 1))
    last = max(history, key=lambda fact: fact["payload"]["version"])
    assert last["name"] == "contact.unsuppressed.v1"
    assert await listed(tenant) == []


async def somebody_waits(database: Database) -> bool:
    query = text(
        "SELECT count(*) FROM pg_locks WHERE NOT granted AND pid IN"
        " (SELECT pid FROM pg_stat_activity WHERE datname = current_database())"
    )
    async with transaction(database) as session:
        return (await session.execute(query)).scalar() == 1


async def test_a_suppression_behind_a_lifting_under_way_has_the_later_version(
    tenant: Tenant, database: Database
) -> None:
    """Outbound would drop it if its version were the lifting's own."""
    [one] = (await tenant.post(PATH, NUMBER)).json()["data"]
    async with asyncio.TaskGroup() as group, transaction(database) as session:
        await store.lock(session, tenant.id)
        await store.lift(session, tenant.id, one["id"], by="key_x")
        again = group.create_task(tenant.post(PATH, NUMBER))
        await waiting.eventually(lambda: somebody_waits(database))
    assert (again.result().status_code, again.result().json()["added"]) == (201, 1)
    assert [fact["payload"]["version"] for fact in await said(database, tenant)] == [1, 3]


async def test_two_lists_in_opposite_order_do_not_wait_in_a_circle(tenant: Tenant) -> None:
    entries = [{"kind": "address", "value": f"+4917112{n:05d}"} for n in range(300)]
    async with asyncio.TaskGroup() as group:
        asked = [
            group.create_task(tenant.post(PATH, {"entries": order}))
            for order in (entries, entries[::-1], entries, entries[::-1])
        ]
    answers = [task.result() for task in asked]
    assert sorted(answer.json()["added"] for answer in answers) == [0, 0, 0, 300]


async def test_pages_and_filters(tenant: Tenant) -> None:
    numbers = [f"+4917112345{n:02d}" for n in range(5)]
    entries = [{"kind": "address", "value": number} for number in numbers]
    await tenant.post(PATH, {"entries": [*entries, {"kind": "prefix", "value": "+4990"}]})
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        query = {"limit": "2", "kind": "address", **cursor}
        page = (await tenant.get(PATH, params=query)).json()
        seen += [one["value"] for one in page["data"]]
        if not page["has_more"]:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert seen == numbers[::-1]
    assert await listed(tenant, kind="address", value="0171 1234501") == [numbers[1]]
    assert await listed(tenant, value="+4990") == ["+4990"]
    for query in ({"kind": "x"}, {"kind": "prefix", "value": "x"}, {"cursor": "%%"}):
        assert (await tenant.get(PATH, params=query)).status_code == 422


async def test_a_second_business_sees_and_changes_nothing(
    tenant: Tenant, other: Tenant, database: Database
) -> None:
    contact, run = await contact_of(tenant), await run_of(tenant)
    [one] = (await tenant.post(PATH, NUMBER)).json()["data"]
    assert await listed(other) == []
    assert (await other.get(f"{PATH}/{one['id']}")).status_code == 404
    assert (await lift(other, one["id"])).status_code == 404
    for foreign in ({"kind": "contact", "value": contact}, {**NUMBER, "run_id": run}):
        assert (await other.post(PATH, foreign)).status_code == 422
    assert not await said(database, other)
    theirs = (await other.post(PATH, NUMBER)).json()
    assert theirs["added"] == 1
    assert theirs["data"][0]["id"] != one["id"]
    assert await listed(tenant) == ["+491711234567"]


async def test_a_key_needs_the_scope(tenant: Tenant) -> None:
    [one] = (await tenant.post(PATH, NUMBER)).json()["data"]
    keys: dict[str, Tenant] = {}
    for scope in ("contacts:read", "runs:read"):
        made = await tenant.post("/v1/keys", {"name": scope, "scopes": [scope]})
        keys[scope] = Tenant(tenant.id, made.json()["key"], tenant.http)
    assert (await keys["contacts:read"].get(PATH)).status_code == 200
    assert (await keys["contacts:read"].post(PATH, NUMBER)).status_code == 403
    assert (await lift(keys["contacts:read"], one["id"])).status_code == 403
    assert (await keys["runs:read"].get(PATH)).status_code == 403
    assert (await tenant.get(f"{PATH}/{new_id(SUPPRESSION)}")).status_code == 404


async def test_who_was_skipped_is_shown_in_the_run(tenant: Tenant, database: Database) -> None:
    contact, run = await contact_of(tenant), await run_of(tenant)
    ended = outbound.JobEnded(
        run_id=run, seq=1, contact_id=contact, state="skipped", reason="suppressed_address"
    )
    await hear(database, tenant.id, ended)
    [turn] = (await tenant.get(f"/v1/runs/{run}/contacts")).json()["data"]
    assert (turn["state"], turn["reason"]) == ("skipped", "suppressed_address")
