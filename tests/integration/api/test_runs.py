"""Runs through the API: drafted, started once, and their audience fed without a gap."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text
from tests.integration.api.conftest import Tenant, facts

from trunkline_api import feeds
from trunkline_api.domain.candidates import Candidate
from trunkline_api.store import contacts as contact_store
from trunkline_api.store import feeds as feed_store
from trunkline_common.db import Database, transaction

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def numbers(count: int) -> bytes:
    return b"phone\n" + b"".join(b"+49 171 %d\n" % (1_000_000 + n) for n in range(count))


async def feed_all(database: Database) -> int:
    ticks = 0
    while await feeds.feed_next(database):
        ticks += 1
    return ticks


async def fed(database: Database, tenant: Tenant) -> tuple[list[Any], list[Any]]:
    added = await facts(database, tenant.id, "run.audience_added.v1")
    return added, await facts(database, tenant.id, "run.audience_closed.v1")


async def started(tenant: Tenant, count: int) -> str:
    upload = (await tenant.upload(numbers(count))).json()["id"]
    run = (await tenant.draft(await tenant.voice_channel(), {"import_id": upload})).json()["id"]
    headers = {**tenant.headers, "X-Correlation-Id": "c-start", "traceparent": TRACE}
    answer = await tenant.http.post(f"/v1/runs/{run}/start", headers=headers)
    assert answer.status_code == 202, answer.text
    assert answer.json()["state"] == "starting"
    assert answer.headers["x-correlation-id"] == "c-start"
    return str(run)


async def test_a_started_run_is_said_and_fed(tenant: Tenant, database: Database) -> None:
    run = await started(tenant, 1200)
    [requested] = await facts(database, tenant.id, "run.requested.v1")
    assert requested["correlation_id"] == "c-start"
    assert requested["payload"]["content"]["script"] == "Good day"
    assert await feed_all(database) >= 4

    added, [closed] = await fed(database, tenant)
    assert [fact["payload"]["chunk"] for fact in added] == [1, 2, 3]
    assert [len(fact["payload"]["contacts"]) for fact in added] == [500, 500, 200]
    addresses = [one["address"] for fact in added for one in fact["payload"]["contacts"]]
    assert addresses == [f"+49171{1_000_000 + n}" for n in range(1200)]
    assert closed["payload"] == {"run_id": run, "chunks": 3, "contacts": 1200}
    assert {fact["correlation_id"] for fact in [*added, closed]} == {"c-start"}
    assert await feed_all(database) == 0


async def test_starting_twice_is_starting_once(tenant: Tenant, database: Database) -> None:
    run = await started(tenant, 3)
    again = await tenant.post(f"/v1/runs/{run}/start")
    assert again.status_code == 202
    assert again.json()["correlation_id"] == "c-start"
    assert len(await facts(database, tenant.id, "run.requested.v1")) == 1
    await feed_all(database)
    assert len((await fed(database, tenant))[1]) == 1


class Killed(Exception):
    pass


async def die_with_a_chunk(database: Database) -> None:
    """What a replica does that dies after its last statement and before its commit."""
    async with transaction(database) as session:
        held = await feed_store.take_next(session)
        assert held is not None
        members = await feed_store.members(session, held, limit=500)
        await feed_store.advance(session, held, members[-1], 500)
        async with transaction(database) as other:
            assert await feed_store.take_next(other) is None  # held, so others pass it by
        raise Killed


async def test_a_feed_that_dies_half_way_goes_on_without_a_gap(
    tenant: Tenant, database: Database
) -> None:
    """A replica dies after saying its chunk and before its commit: nothing of it remains."""
    await started(tenant, 1100)
    assert await feeds.feed_next(database)

    with pytest.raises(Killed):
        await die_with_a_chunk(database)

    await feed_all(database)
    added, closed = await fed(database, tenant)
    addresses = [one["address"] for fact in added for one in fact["payload"]["contacts"]]
    assert addresses == [f"+49171{1_000_000 + n}" for n in range(1100)]
    assert [fact["payload"]["chunk"] for fact in added] == [1, 2, 3]
    assert len(closed) == 1


async def test_all_are_those_who_were_there_at_the_start(
    tenant: Tenant, database: Database
) -> None:
    await tenant.upload(numbers(3))
    run = (await tenant.draft(await tenant.voice_channel(), {"all": True})).json()["id"]
    assert (await tenant.post(f"/v1/runs/{run}/start")).status_code == 202
    await tenant.post("/v1/contacts", {"phone": "0171 9999999"})
    await feed_all(database)
    [added], [closed] = await fed(database, tenant)
    assert len(added["payload"]["contacts"]) == 3
    assert closed["payload"]["contacts"] == 3


async def started_for_all(tenant: Tenant) -> None:
    run = (await tenant.draft(await tenant.voice_channel(), {"all": True})).json()["id"]
    assert (await tenant.post(f"/v1/runs/{run}/start")).status_code == 202


async def test_an_import_under_way_at_the_start_is_left_out_whole(
    tenant: Tenant, database: Database
) -> None:
    """Its ids lie before and behind those of the first chunk; it commits after that has left."""
    late = [Candidate(n, f"+49171{9_000_000 + n}") for n in range(700)]
    async with transaction(database) as importing:
        assert len(await contact_store.add_missing(importing, tenant.id, late[:350])) == 350
        await tenant.upload(numbers(600))
        await contact_store.add_missing(importing, tenant.id, late[350:])
        await started_for_all(tenant)
        assert await feeds.feed_next(database)
    await feed_all(database)
    added, [closed] = await fed(database, tenant)
    addresses = [one["address"] for fact in added for one in fact["payload"]["contacts"]]
    assert sorted(addresses) == [f"+49171{1_000_000 + n}" for n in range(600)]
    assert closed["payload"]["contacts"] == 600


async def test_an_import_that_committed_before_the_start_is_in_whole(
    tenant: Tenant, database: Database
) -> None:
    """However late it began: its ids lie around those of a contact that others committed."""
    early = [Candidate(n, f"+49171{9_000_000 + n}") for n in range(4)]
    async with transaction(database) as importing:
        await contact_store.add_missing(importing, tenant.id, early[:2])
        await tenant.post("/v1/contacts", {"phone": "0171 1234567"})
        await contact_store.add_missing(importing, tenant.id, early[2:])
    await started_for_all(tenant)
    await tenant.post("/v1/contacts", {"phone": "0171 7654321"})
    await feed_all(database)
    [added], _ = await fed(database, tenant)
    addresses = {one["address"] for one in added["payload"]["contacts"]}
    assert addresses == {"+491711234567", *(one.address for one in early)}


async def test_contacts_of_a_restored_copy_are_in_the_audience(
    tenant: Tenant, database: Database
) -> None:
    """Their transactions have numbers of another server, here far ahead of ours."""
    await tenant.upload(numbers(3))
    async with transaction(database) as session:
        await session.execute(
            text(
                "UPDATE contacts SET added_by = '999999999999',"
                " created_at = created_at - interval '2 h' WHERE business_id = :id"
            ),
            {"id": tenant.id},
        )
    await started_for_all(tenant)
    await feed_all(database)
    [added], _ = await fed(database, tenant)
    assert len(added["payload"]["contacts"]) == 3


async def test_named_contacts_in_their_order(tenant: Tenant, database: Database) -> None:
    made = [
        (await tenant.post("/v1/contacts", {"phone": f"0171 123456{n}"})).json()["id"]
        for n in range(3)
    ]
    wanted = [made[2], made[0], made[2]]
    draft = await tenant.draft(await tenant.voice_channel(), {"contact_ids": wanted})
    assert (await tenant.post(f"/v1/runs/{draft.json()['id']}/start")).status_code == 202
    await feed_all(database)
    [added], _ = await fed(database, tenant)
    assert [one["contact_id"] for one in added["payload"]["contacts"]] == [made[2], made[0]]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"audience": {}}, "#/audience"),
        ({"audience": {"all": True, "import_id": "x"}}, "#/audience"),
        ({"audience": {"import_id": "imp_none"}}, "#/audience/import_id"),
        ({"audience": {"contact_ids": ["con_none"]}}, "#/audience/contact_ids"),
        ({"channel_id": "chn_none"}, "#/channel_id"),
        ({"channel": "whatsapp", "content": {"text": "Hi"}}, "#/channel_id"),
        ({"content": {"text": "Hi"}}, "#/"),
        ({"content": {"script": "x" * 5000}}, "#/content/script"),
        ({"policy": {"max_attempts": 99}}, "#/policy/max_attempts"),
        ({"policy": {"surprise": 1}}, "#/policy/surprise"),
    ],
)
async def test_a_draft_that_cannot_be_is_refused_with_the_place(
    tenant: Tenant, change: dict[str, Any], pointer: str
) -> None:
    channel = await tenant.voice_channel()
    asked = {"channel_id": channel, "audience": {"all": True}, **change}
    answer = await tenant.draft(**asked)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["pointer"].startswith(pointer.rstrip("/"))


async def test_a_run_for_nobody_or_on_a_disabled_channel_does_not_start(tenant: Tenant) -> None:
    channel = await tenant.voice_channel()
    run = (await tenant.draft(channel, {"all": True})).json()["id"]
    answer = await tenant.post(f"/v1/runs/{run}/start")
    assert answer.status_code == 409
    assert answer.json()["type"].endswith("empty-audience")
    await tenant.post("/v1/contacts", {"phone": "0171 1234567"})
    off = {"enabled": False}
    await tenant.http.patch(f"/v1/channels/{channel}", json=off, headers=tenant.headers)
    answer = await tenant.post(f"/v1/runs/{run}/start")
    assert answer.status_code == 409
    assert answer.json()["type"].endswith("channel-disabled")
    assert (await tenant.get(f"/v1/runs/{run}")).json()["state"] == "draft"


async def test_a_message_is_asked_for(tenant: Tenant, database: Database) -> None:
    channel = await tenant.whatsapp_channel()
    asked = {"channel_id": channel, "to": "0171 1234567", "text": "Hello"}
    answer = await tenant.post("/v1/messages", asked)
    assert answer.status_code == 202, answer.text
    message = answer.json()
    assert message["state"] == "requested"
    assert message["to"] == "+491711234567"
    assert (await tenant.get(f"/v1/messages/{message['id']}")).json() == message
    [fact] = await facts(database, tenant.id, "message.requested.v1")
    assert fact["payload"]["to"] == "+491711234567"

    both = await tenant.post("/v1/messages", {**asked, "contact_id": "con_x"})
    assert both.status_code == 422
    voice = await tenant.voice_channel()
    assert (await tenant.post("/v1/messages", {**asked, "channel_id": voice})).status_code == 422
    assert (await tenant.post("/v1/messages", {**asked, "to": "112"})).status_code == 422
