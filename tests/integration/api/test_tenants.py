"""Businesses, keys, scopes, and that nobody sees what is another's."""

from __future__ import annotations

import httpx
import pytest
from tests.integration.api.conftest import OPERATOR, Tenant, facts

from trunkline_common.db import Database

DAY = {"name": "Bakery", "country": "DE", "time_zone": "Europe/Berlin"}


def problem(answer: httpx.Response) -> dict[str, object]:
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-correlation-id"]
    body: dict[str, object] = answer.json()
    assert body["status"] == answer.status_code
    return body


async def test_a_business_comes_with_a_key_and_a_fact(tenant: Tenant, database: Database) -> None:
    answer = await tenant.get("/v1/business")
    assert answer.json()["id"] == tenant.id
    [fact] = await facts(database, tenant.id, "business.created.v1")
    assert fact["subject"] == tenant.id


async def test_only_the_operator_makes_businesses(http: httpx.AsyncClient, tenant: Tenant) -> None:
    for credential in ("nonsense", tenant.key, ""):
        headers = {"Authorization": f"Bearer {credential}"}
        answer = await http.post("/v1/businesses", json=DAY, headers=headers)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
        problem(answer)


@pytest.mark.parametrize(
    "wrong",
    [{"country": "XX"}, {"country": "de"}, {"time_zone": "Mars/Base"}, {"extra": 1}, {"name": ""}],
)
async def test_a_wrong_business_is_refused_with_the_place(
    http: httpx.AsyncClient, wrong: dict[str, object]
) -> None:
    headers = {"Authorization": f"Bearer {OPERATOR}"}
    answer = await http.post("/v1/businesses", json={**DAY, **wrong}, headers=headers)
    assert answer.status_code == 422
    [error] = answer.json()["errors"]
    assert error["pointer"] == f"#/{next(iter(wrong))}"


async def test_malformed_json_is_400(tenant: Tenant) -> None:
    headers = {**tenant.headers, "Content-Type": "application/json"}
    answer = await tenant.http.post("/v1/contacts", content=b'{"phone": ', headers=headers)
    assert answer.status_code == 400
    problem(answer)


async def test_routes_that_are_not_there_are_problems_too(tenant: Tenant) -> None:
    assert problem(await tenant.get("/v1/nothing"))["status"] == 404
    assert problem(await tenant.http.put("/v1/runs", headers=tenant.headers))["status"] == 405


async def test_bad_keys_are_401(tenant: Tenant, http: httpx.AsyncClient) -> None:
    changed = tenant.key[:-1] + ("a" if tenant.key[-1] != "a" else "b")
    unknown = tenant.key.replace("tk_live_0", "tk_live_7")
    for key in (changed, unknown, "tk_live_x", "x" * 5000, "é"):
        headers = {b"Authorization": f"Bearer {key}".encode()}
        answer = await http.get("/v1/business", headers=headers)
        assert answer.status_code == 401, key
        problem(answer)
    assert (await http.get("/v1/business")).status_code == 401


async def test_a_key_does_what_its_scopes_say(tenant: Tenant) -> None:
    made = await tenant.post("/v1/keys", {"name": "reader", "scopes": ["contacts:read"]})
    assert made.status_code == 201
    reader = Tenant(tenant.id, made.json()["key"], tenant.http)

    assert (await reader.get("/v1/contacts")).status_code == 200
    refused = await reader.post("/v1/contacts", {"phone": "0171 1234567"})
    assert refused.status_code == 403
    assert "contacts:write" in str(problem(refused)["detail"])
    assert (await reader.get("/v1/runs")).status_code == 403
    assert (
        await reader.post("/v1/keys", {"name": "x", "scopes": ["runs:read"]})
    ).status_code == 403


async def test_a_key_cannot_give_what_it_has_not(tenant: Tenant) -> None:
    made = await tenant.post("/v1/keys", {"name": "keys", "scopes": ["keys:write"]})
    maker = Tenant(tenant.id, made.json()["key"], tenant.http)
    answer = await maker.post("/v1/keys", {"name": "more", "scopes": ["runs:write"]})
    assert answer.status_code == 403


async def test_a_revoked_or_expired_key_is_nobodys(tenant: Tenant) -> None:
    asked = {"name": "short", "scopes": ["contacts:read"], "expires_at": "2020-01-01T00:00:00Z"}
    old = (await tenant.post("/v1/keys", asked)).json()
    assert (await Tenant("", old["key"], tenant.http).get("/v1/contacts")).status_code == 401

    made = (await tenant.post("/v1/keys", {**asked, "expires_at": None})).json()
    reader = Tenant("", made["key"], tenant.http)
    assert (await reader.get("/v1/contacts")).status_code == 200
    path = f"/v1/keys/{made['id']}"
    assert (await tenant.http.delete(path, headers=tenant.headers)).status_code == 204
    assert (await reader.get("/v1/contacts")).status_code == 401
    assert (await tenant.http.delete(path, headers=tenant.headers)).status_code == 404


async def test_the_secret_is_shown_once(tenant: Tenant) -> None:
    listed = (await tenant.get("/v1/keys")).json()
    [key] = listed["data"]
    assert tenant.key.startswith(key["prefix"])
    assert key["last_used_at"] is not None
    assert tenant.key.rpartition("_")[2] not in str(listed)


async def test_a_second_business_sees_nothing_of_the_first(tenant: Tenant, other: Tenant) -> None:
    channel = await tenant.voice_channel()
    contact = (await tenant.post("/v1/contacts", {"phone": "0171 1234567"})).json()["id"]
    upload = (await tenant.upload(b"phone\n0171 1234568\n")).json()["id"]
    run = (await tenant.draft(channel, {"all": True})).json()["id"]

    for path in (
        f"/v1/contacts/{contact}",
        f"/v1/imports/{upload}",
        f"/v1/imports/{upload}/rejects",
        f"/v1/runs/{run}",
        f"/v1/runs/{run}/calls",
        f"/v1/runs/{run}/messages",
        f"/v1/runs/{run}/contacts",
        f"/v1/calls?run_id={run}",
    ):
        assert (await tenant.get(path)).status_code == 200, path
        answer = await other.get(path)
        assert answer.status_code == 404, path
        assert problem(answer)["type"] == "urn:trunkline:problem:not-found"
    assert (await other.post(f"/v1/runs/{run}/start")).status_code == 404
    patched = await other.http.patch(
        f"/v1/channels/{channel}", json={"enabled": False}, headers=other.headers
    )
    assert patched.status_code == 404
    for noun in ("contacts", "runs", "calls", "messages", "channels"):
        assert (await other.get(f"/v1/{noun}")).json()["data"] == []
    for audience in ({"import_id": upload}, {"contact_ids": [contact]}, {"all": True}):
        assert (await other.draft(channel, audience)).status_code == 422


async def test_credentials_are_never_told(tenant: Tenant, database: Database) -> None:
    channel = await tenant.voice_channel()
    changed = await tenant.http.patch(
        f"/v1/channels/{channel}",
        json={"credentials": {"auth_token": "another"}, "per_second": 5},
        headers=tenant.headers,
    )
    assert changed.json()["version"] == 2
    assert changed.json()["per_second"] == 5
    told = (await tenant.get("/v1/channels")).text + changed.text
    assert "twilio-auth-token" not in told
    assert "sealed" not in told
    said = await facts(database, tenant.id, "channel.changed.v1")
    assert [fact["sequence"] for fact in said] == [1, 2]
    assert "another" not in str(said)


async def test_credentials_must_fit_the_kind(tenant: Tenant) -> None:
    asked = {
        "kind": "whatsapp",
        "account": "1055512345",
        "senders": ["+15005550006"],
        "credentials": {"auth_token": "x"},
    }
    assert (await tenant.post("/v1/channels", asked)).status_code == 422
    path_like = {**asked, "kind": "voice", "account": "AC/../x"}
    assert (await tenant.post("/v1/channels", path_like)).status_code == 422


async def test_pages_end(tenant: Tenant) -> None:
    for number in range(5):
        await tenant.post("/v1/contacts", {"phone": f"0171 123456{number}"})
    seen: list[str] = []
    cursor: dict[str, str] = {}
    for _ in range(3):
        page = (await tenant.get("/v1/contacts", params={"limit": "2", **cursor})).json()
        seen += [contact["phone"] for contact in page["data"]]
        cursor = {"cursor": page["next_cursor"]} if page["has_more"] else {}
    assert cursor == {}
    assert seen == [f"+49171123456{number}" for number in (4, 3, 2, 1, 0)]
    assert (await tenant.get("/v1/contacts", params={"cursor": "%%"})).status_code == 422


async def test_the_documentation_loads_nothing_from_elsewhere(http: httpx.AsyncClient) -> None:
    page = (await http.get("/docs")).text
    assert "//" not in page
    for name in ("swagger-ui-bundle.js", "swagger-ui.css", "start.js"):
        assert (await http.get(f"/docs/files/{name}")).status_code == 200
    assert (await http.get("/docs/files/LICENSE")).status_code == 404
    schema = (await http.get("/openapi.json")).json()
    assert "/v1/runs/{run_id}/start" in schema["paths"]
    assert not [path for path in schema["paths"] if "callbacks" in path]
