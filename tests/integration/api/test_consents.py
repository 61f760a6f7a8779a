"""Consents with their provenance, and that a withdrawal is obeyed."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from sqlalchemy import text
from tests.integration.api.conftest import Tenant, facts
from tests.integration.api.test_contact_edits import PHONE, delete, made
from tests.integration.api.test_suppressions import listed
from tests.integration.api.test_tenants import problem

from trunkline_common.db import Database, transaction

GRANTED = {"channel": "voice", "state": "granted", "source": "web form", "evidence": "form 41"}
WITHDRAWN = {"channel": "voice", "state": "withdrawn", "source": "on the phone"}


async def record(tenant: Tenant, contact: str, body: dict[str, Any]) -> httpx.Response:
    return await tenant.post(f"/v1/contacts/{contact}/consents", body)


async def kept(tenant: Tenant, contact: str, **query: Any) -> list[tuple[str, str, bool]]:
    answer = await tenant.get(f"/v1/contacts/{contact}/consents", params=query)
    assert answer.status_code == 200, answer.text
    return [(one["channel"], one["state"], one["in_force"]) for one in answer.json()["data"]]


async def test_a_consent_is_kept_with_who_says_so(tenant: Tenant) -> None:
    contact = await made(tenant)
    answer = await record(tenant, contact, GRANTED | {"at": "2024-05-01T12:00:00+02:00"})
    assert answer.status_code == 201, answer.text
    told = answer.json()
    assert {name: told[name] for name in GRANTED} == GRANTED
    assert (told["contact_id"], told["at"]) == (contact, "2024-05-01T10:00:00Z")
    assert told["recorded_by"].startswith("key_")
    assert await listed(tenant) == []


async def test_what_was_said_last_counts_on_each_channel(tenant: Tenant) -> None:
    """An old withdrawal that is typed in after a later consent suppresses nobody."""
    contact = await made(tenant)
    await record(tenant, contact, GRANTED | {"at": "2024-05-02T12:00:00Z"})
    await record(tenant, contact, GRANTED | {"channel": "whatsapp"})
    await record(tenant, contact, WITHDRAWN | {"at": "2024-05-01T12:00:00Z"})
    assert await kept(tenant, contact) == [
        ("voice", "withdrawn", False),
        ("whatsapp", "granted", True),
        ("voice", "granted", True),
    ]
    assert await listed(tenant) == []


async def test_a_withdrawal_suppresses_in_the_same_commit(
    tenant: Tenant, database: Database
) -> None:
    """On its channel alone, once; a consent afterwards lifts nothing."""
    contact = await made(tenant)
    for body in (GRANTED, WITHDRAWN, WITHDRAWN, GRANTED):
        assert (await record(tenant, contact, body)).status_code == 201
    [fact] = await facts(database, tenant.id, "contact.suppressed.v1")
    said = fact["payload"]
    assert (said["kind"], said["value"], said["channel"]) == ("contact", contact, "voice")
    assert said["source"] == "consent"
    assert await listed(tenant) == [contact]


async def test_a_withdrawal_outlives_its_contact(tenant: Tenant, database: Database) -> None:
    contact = await made(tenant)
    await record(tenant, contact, WITHDRAWN)
    assert (await delete(tenant, contact)).status_code == 204
    assert await listed(tenant, kind="address") == [PHONE]
    async with transaction(database) as session:
        assert not (await session.execute(text("SELECT 1 FROM contact_consents"))).all()


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"at": "2999-01-01T00:00:00Z"}, "#/at"),
        ({"at": "2024-05-01T12:00:00"}, "#/at"),
        ({"channel": "pigeon"}, "#/channel"),
        ({"state": "maybe"}, "#/state"),
        ({"source": ""}, "#/source"),
        ({"recorded_by": "key_x"}, "#/recorded_by"),
    ],
)
async def test_a_wrong_consent_is_told_the_place(
    tenant: Tenant, wrong: dict[str, Any], pointer: str
) -> None:
    contact = await made(tenant)
    answer = await record(tenant, contact, GRANTED | wrong)
    assert answer.status_code == 422, answer.text
    assert [fault["pointer"] for fault in answer.json()["errors"]] == [pointer]
    assert await kept(tenant, contact) == []


async def test_a_second_business_records_and_reads_nothing(
    tenant: Tenant, other: Tenant, database: Database
) -> None:
    contact = await made(tenant)
    await record(tenant, contact, GRANTED)
    for answer in (
        await record(other, contact, WITHDRAWN),
        await other.get(f"/v1/contacts/{contact}/consents"),
    ):
        assert (answer.status_code, problem(answer)["detail"]) == (404, "there is no such contact")
    assert await kept(tenant, contact) == [("voice", "granted", True)]
    assert await listed(tenant) == await listed(other) == []


async def test_pages_and_scopes(tenant: Tenant) -> None:
    contact = await made(tenant)
    for channel in ("voice", "whatsapp", "voice"):
        await record(tenant, contact, GRANTED | {"channel": channel})
    path = f"/v1/contacts/{contact}/consents"
    page = (await tenant.get(path, params={"limit": 2})).json()
    assert (len(page["data"]), page["has_more"]) == (2, True)
    rest = await kept(tenant, contact, limit=2, cursor=page["next_cursor"])
    assert rest == [("voice", "granted", False)]
    key = await tenant.post("/v1/keys", {"name": "reader", "scopes": ["contacts:read"]})
    reader = Tenant(tenant.id, key.json()["key"], tenant.http)
    assert (await record(reader, contact, GRANTED)).status_code == 403
    assert len(await kept(reader, contact)) == 3
