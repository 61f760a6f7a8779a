"""Contacts changed and deleted: under `If-Match`, with runs that go on, and nobody else's."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from tests.integration.api.conftest import Tenant, facts
from tests.integration.api.test_suppressions import listed, somebody_waits
from tests.integration.api.test_tenants import problem

from trunkline_api import feeds
from trunkline_api.store import contact_edits as store
from trunkline_api.store import feeds as feed_store
from trunkline_api.store import runs
from trunkline_common.db import Database, transaction
from trunkline_common.ids import CONTACT, new_id
from trunkline_common.testing import facts as waiting

PHONE = "+491711234567"


async def made(tenant: Tenant, phone: str = PHONE, **more: Any) -> str:
    answer = await tenant.post("/v1/contacts", {"phone": phone, **more})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def patch(
    tenant: Tenant, contact: str, body: dict[str, Any], match: str | None = None
) -> httpx.Response:
    headers = tenant.headers | ({"If-Match": match} if match is not None else {})
    return await tenant.http.patch(f"/v1/contacts/{contact}", json=body, headers=headers)


async def delete(tenant: Tenant, contact: str, match: str | None = None) -> httpx.Response:
    headers = tenant.headers | ({"If-Match": match} if match is not None else {})
    return await tenant.http.delete(f"/v1/contacts/{contact}", headers=headers)


async def read(tenant: Tenant, contact: str) -> dict[str, Any]:
    answer = await tenant.get(f"/v1/contacts/{contact}")
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def started(tenant: Tenant, audience: Any) -> str:
    run = (await tenant.draft(await tenant.voice_channel(), audience)).json()["id"]
    answer = await tenant.post(f"/v1/runs/{run}/start")
    assert answer.status_code == 202, answer.text
    return str(run)


async def ended(database: Database, run: str, state: str = "completed") -> None:
    async with transaction(database) as session:
        query = text("UPDATE runs SET state = :state WHERE id = :run")
        await session.execute(query, {"run": run, "state": state})


async def test_a_patch_merges_and_null_clears(tenant: Tenant) -> None:
    contact = await made(
        tenant, name="Ada", email="a@example.com", variables={"x": "1", "y": "2"}, tags=["b", "a"]
    )
    body = {"email": None, "language": "de", "variables": {"x": None, "z": "3"}, "tags": ["vip"]}
    answer = await patch(tenant, contact, body)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["name"], told["email"], told["language"]) == ("Ada", None, "de")
    assert (told["variables"], told["tags"]) == ({"y": "2", "z": "3"}, ["vip"])
    assert (told["version"], answer.headers["etag"]) == (2, '"v2"')
    assert told["updated_at"] is not None
    assert await read(tenant, contact) == told


async def test_what_changes_nothing_leaves_the_version(tenant: Tenant) -> None:
    contact = await made(tenant, name="Ada", tags=["a"])
    answer = await patch(tenant, contact, {"name": "Ada", "phone": "0171 1234567", "tags": ["a"]})
    assert (answer.status_code, answer.headers["etag"]) == (200, '"v1"')


async def test_of_two_who_read_the_same_state_one_is_told(tenant: Tenant) -> None:
    contact = await made(tenant)
    seen = (await tenant.get(f"/v1/contacts/{contact}")).headers["etag"]
    async with asyncio.TaskGroup() as tasks:
        tries = [
            tasks.create_task(patch(tenant, contact, {"name": name}, seen))
            for name in ("Ada", "Grace")
        ]
    answers = [one.result() for one in tries]
    assert sorted(answer.status_code for answer in answers) == [200, 412]
    [lost] = [answer for answer in answers if answer.status_code == 412]
    assert problem(lost)["type"] == "urn:trunkline:problem:precondition-failed"
    assert (await delete(tenant, contact, seen)).status_code == 412
    assert (await read(tenant, contact))["version"] == 2
    assert (await delete(tenant, contact, '"v2"')).status_code == 204


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"phone": None}, "#/phone"),
        ({"phone": "12"}, "#/phone"),
        ({"time_zone": "Mars/Base"}, "#/time_zone"),
        ({"tags": [" "]}, "#/tags/0"),
        ({"id": "con_x"}, "#/id"),
        ({"business_id": "biz_x"}, "#/business_id"),
        ({"variables": {"x": "ü" * 5000}}, "#/variables"),
        ({"name": "a\x00b"}, "#/name"),
    ],
)
async def test_a_wrong_patch_is_told_the_place(
    tenant: Tenant, body: dict[str, Any], pointer: str
) -> None:
    contact = await made(tenant)
    answer = await patch(tenant, contact, body)
    assert answer.status_code == 422, answer.text
    assert [fault["pointer"] for fault in answer.json()["errors"]] == [pointer]
    assert (await read(tenant, contact))["version"] == 1


async def test_a_number_is_one_contact_s(tenant: Tenant, other: Tenant) -> None:
    """Also of two who take it at once; another business's does not matter."""
    one, two = await made(tenant), await made(tenant, "+491711234568")
    await made(other, "+491711234569")
    taken = await patch(tenant, two, {"phone": PHONE})
    assert (taken.status_code, one in taken.json()["detail"]) == (409, True)
    async with asyncio.TaskGroup() as tasks:
        tries = [
            tasks.create_task(patch(tenant, contact, {"phone": "+491711234569"}))
            for contact in (one, two)
        ]
    assert sorted(tried.result().status_code for tried in tries) == [200, 409]


async def test_a_second_business_changes_and_deletes_nothing(tenant: Tenant, other: Tenant) -> None:
    contact = await made(tenant, name="Ada")
    before = await read(tenant, contact)
    for answer in (
        await patch(other, contact, {"name": "Eve"}),
        await patch(other, contact, {"name": "Eve"}, '"v1"'),
        await delete(other, contact),
        await delete(other, contact, "*"),
        await delete(tenant, new_id(CONTACT)),
    ):
        assert (answer.status_code, problem(answer)["detail"]) == (404, "there is no such contact")
    assert await read(tenant, contact) == before


async def test_a_reader_changes_nothing(tenant: Tenant) -> None:
    contact = await made(tenant)
    key = await tenant.post("/v1/keys", {"name": "reader", "scopes": ["contacts:read"]})
    reader = Tenant(tenant.id, key.json()["key"], tenant.http)
    assert (await patch(reader, contact, {"name": "Eve"})).status_code == 403
    assert (await delete(reader, contact)).status_code == 403


async def test_a_deleted_contact_is_off_the_lists_and_its_number_free(
    tenant: Tenant, database: Database
) -> None:
    contact, stays = await made(tenant), await made(tenant, "+491711234568")
    await tenant.draft(await tenant.voice_channel(), {"contact_ids": [contact, stays]})
    assert (await delete(tenant, contact)).status_code == 204
    assert (await tenant.get(f"/v1/contacts/{contact}")).status_code == 404
    async with transaction(database) as session:
        members = await session.execute(text("SELECT contact_id FROM audience_members"))
        assert list(members.scalars()) == [stays]
    assert await made(tenant) != contact


@pytest.mark.parametrize("audience", ["list", "everybody", "addition"])
async def test_a_contact_of_a_run_that_goes_on_stays(
    tenant: Tenant, database: Database, audience: str
) -> None:
    contact, first = await made(tenant), await made(tenant, "+491711234568")
    wanted: dict[str, dict[str, Any]] = {
        "list": {"contact_ids": [contact]},
        "everybody": {"all": True},
        "addition": {"contact_ids": [first]},
    }
    run = await started(tenant, wanted[audience])
    if audience == "addition":
        added = await tenant.post(f"/v1/runs/{run}/contacts", {"contact_ids": [contact]})
        assert added.status_code == 202, added.text
    later = await made(tenant, "+491711234569")
    answer = await delete(tenant, contact)
    assert (answer.status_code, run in str(problem(answer)["detail"])) == (409, True)
    assert problem(answer)["type"] == "urn:trunkline:problem:contact-in-run"
    assert (await delete(tenant, later)).status_code == 204
    await ended(database, run)
    assert (await delete(tenant, contact)).status_code == 204


@pytest.mark.parametrize("first", ["start", "deletion"])
async def test_a_start_and_a_deletion_take_turns(
    tenant: Tenant, database: Database, first: str
) -> None:
    """Whichever commits first, nobody is told to outbound and deleted."""
    contact = await made(tenant)
    await made(tenant, "+491711234568")
    run = (await tenant.draft(await tenant.voice_channel(), {"all": True})).json()["id"]

    async def waits() -> bool:
        return await somebody_waits(database)

    async with asyncio.TaskGroup() as tasks, transaction(database) as session:
        if first == "start":
            await runs.request(session, tenant.id, run, correlation_id="c-1", start_at=None)
            await feed_store.add(
                session,
                run_id=run,
                business_id=tenant.id,
                list_id=None,
                correlation_id="c-1",
                traceparent=None,
            )
            second = tasks.create_task(delete(tenant, contact))
        else:
            await store.keep_runs_from_starting(session, tenant.id)
            await store.delete(session, tenant.id, contact)
            second = tasks.create_task(tenant.post(f"/v1/runs/{run}/start"))
        await waiting.eventually(waits, what="the second waits for the first")
    assert second.result().status_code == (409 if first == "start" else 202)
    while await feeds.feed_next(database):
        pass
    [chunk] = await facts(database, tenant.id, "run.audience_added.v1")
    assert (contact in str(chunk["payload"])) == (first == "start")


@pytest.mark.parametrize("channel", [None, "voice"])
async def test_an_opt_out_outlives_its_contact(
    tenant: Tenant, database: Database, channel: str | None
) -> None:
    """Suppressed by id, and deleted: whoever has the number next is not called either."""
    contact = await made(tenant)
    asked = {"kind": "contact", "value": contact, "channel": channel, "source": "opt_out"}
    assert (await tenant.post("/v1/suppressions", asked)).status_code == 201
    assert (await delete(tenant, contact)).status_code == 204
    assert await listed(tenant, kind="address") == [PHONE]
    told = [fact["payload"] for fact in await facts(database, tenant.id, "contact.suppressed.v1")]
    assert [one["value"] for one in told] == [contact, PHONE]
    assert [one["channel"] for one in told] == [channel, channel]
