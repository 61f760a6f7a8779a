"""What nobody means well by: texts that no table keeps, strangers with bodies, odd values."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx
import pytest
from tests.integration.api.conftest import OPERATOR, Tenant, meta_body, meta_signature

from trunkline_api.app import application
from trunkline_api.parts import Parts

NUL, HALF = "a\x00b", "a\ud800b"
UNKEEPABLE = pytest.mark.parametrize("text", [NUL, HALF], ids=["nul", "surrogate"])
RUN: dict[str, Any] = {
    "name": "n", "channel": "voice", "channel_id": "chn_1", "audience": {"all": True},
    "content": {"script": "s"},
}  # fmt: skip


def routes(parts: Parts) -> list[tuple[str, str]]:
    """Every route of the public API as its own description has it: (method, path)."""
    paths = application(parts).openapi()["paths"]
    return [(method.upper(), path) for path, methods in paths.items() for method in methods]


def filled(path: str, value: str) -> str:
    return re.sub(r"\{\w+\}", value, path)


async def send(tenant: Tenant, method: str, path: str, body: object) -> httpx.Response:
    """JSON as no well-behaved client writes it: every character escaped that can be."""
    headers = {**tenant.headers, "Content-Type": "application/json"}
    return await tenant.http.request(method, path, content=json.dumps(body), headers=headers)


def placed(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return [error["pointer"] for error in answer.json()["errors"]]


async def test_a_stranger_is_answered_before_the_body_is_read(
    http: httpx.AsyncClient, parts: Parts
) -> None:
    """On every route there is, with a body that is no JSON and one that would not validate."""
    listed = routes(parts)
    assert len(listed) > 20
    for method, path in listed:
        for body in (b'{"broken', b'{"surprise": "\\u0000"}', b"\xff" * 1000):
            for key in ({}, {"Authorization": "Bearer tk_live_x"}):
                headers = {"Content-Type": "application/json", **key}
                url = filled(path, "x") + "?limit=none"
                answer = await http.request(method, url, content=body, headers=headers)
                assert answer.status_code == 401, (method, path, answer.text)


async def test_no_byte_of_a_strangers_body_is_asked_for(parts: Parts) -> None:
    asked: list[str] = []
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        asked.append("body")
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async def keep(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": "POST", "path": "/v1/contacts", "raw_path": b"/v1/contacts",
        "query_string": b"", "root_path": "", "scheme": "http", "http_version": "1.1",
        "headers": [(b"content-type", b"application/json")], "server": ("inside", 80),
    }  # fmt: skip
    await application(parts)(scope, receive, keep)
    assert sent[0]["status"] == 401
    assert asked == []


async def test_a_nul_in_any_path_is_404(tenant: Tenant, parts: Parts) -> None:
    with_ids = [(method, path) for method, path in routes(parts) if "{" in path]
    assert len(with_ids) > 8
    of_operators = ("PATCH", "/v1/businesses/{business_id}")
    with_ids.remove(of_operators)
    answer = await send(tenant, of_operators[0], filled(of_operators[1], "%00"), {})
    assert answer.status_code == 401, "a business's key is none of an operator's"
    for method, path in with_ids:
        answer = await send(tenant, method, filled(path, "%00"), {})
        assert answer.status_code == 404, (method, path, answer.text)
    assert (await tenant.http.get("/callbacks/meta/%00")).status_code == 404
    assert (await tenant.http.post("/callbacks/meta/a%00b", content=b"{}")).status_code == 404
    assert (await tenant.http.post("/callbacks/twilio/%00/%00/%00/x/status")).status_code == 404


@pytest.mark.parametrize(
    "path", ["/v1/calls?run_id=a%00b", "/v1/contacts?cursor=%00", "/v1/runs?x%00=1"]
)
async def test_a_nul_in_any_query_is_422(tenant: Tenant, path: str) -> None:
    assert placed(await tenant.get(path))[0].startswith("query/")


@UNKEEPABLE
@pytest.mark.parametrize(
    ("method", "path", "body", "place"),
    [
        ("POST", "/v1/contacts", {"phone": "0171 1234567", "name": "X"}, "#/name"),
        ("POST", "/v1/contacts", {"phone": "X"}, "#/phone"),
        ("POST", "/v1/contacts", {"phone": "0171 1", "variables": {"a": "X"}}, "#/variables/a"),
        ("POST", "/v1/keys", {"name": "X", "scopes": ["runs:read"]}, "#/name"),
        ("POST", "/v1/keys", {"name": "n", "scopes": ["X"]}, "#/scopes/0"),
        ("POST", "/v1/messages", {"channel_id": "c", "text": "X", "to": "1"}, "#/text"),
        ("POST", "/v1/messages", {"channel_id": "X", "text": "t", "to": "1"}, "#/channel_id"),
        ("POST", "/v1/runs", {**RUN, "name": "X"}, "#/name"),
        ("POST", "/v1/runs", {**RUN, "content": {"script": "X"}}, "#/content/script"),
        ("POST", "/v1/runs", {**RUN, "audience": {"import_id": "X"}}, "#/audience/import_id"),
        ("POST", "/v1/runs", {**RUN, "audience": {"contact_ids": ["a", "X"]}},
         "#/audience/contact_ids/1"),
        ("PATCH", "/v1/channels/x", {"credentials": {"auth_token": "X"}},
         "#/credentials/auth_token"),
        ("POST", "/v1/channels", {"surprise": {"deep": [{"er": "X"}]}}, "#/surprise/deep/0/er"),
    ],
)  # fmt: skip
async def test_an_unkeepable_text_is_422_with_its_place(
    tenant: Tenant, text: str, method: str, path: str, body: object, place: str
) -> None:
    hostile = json.loads(json.dumps(body).replace('"X"', json.dumps(text)))
    assert placed(await send(tenant, method, path, hostile)) == [place]


@UNKEEPABLE
async def test_an_unkeepable_key_is_422_with_its_place(tenant: Tenant, text: str) -> None:
    body = {"phone": "0171 1234567", "variables": {text + "/~": "x"}}
    [place] = placed(await send(tenant, "POST", "/v1/contacts", body))
    assert re.fullmatch(r"#/variables/a\\u(0000|d800)b~1~0", place)
    assert placed(await send(tenant, "POST", "/v1/contacts", {text: 1}))
    raw = b'{"phone": "0171 1234567", "name": "\xed\xa0\x80"}'  # half a pair, as bytes
    headers = {**tenant.headers, "Content-Type": "application/json"}
    answer = await tenant.http.post("/v1/contacts", content=raw, headers=headers)
    assert answer.status_code in (400, 422), answer.text


async def test_the_operators_texts_are_looked_at_too(http: httpx.AsyncClient) -> None:
    asked = {"name": NUL, "country": "DE", "time_zone": "Europe/Berlin"}
    headers = {"Authorization": f"Bearer {OPERATOR}"}
    answer = await http.post("/v1/businesses", json=asked, headers=headers)
    assert placed(answer) == ["#/name"]


@pytest.mark.parametrize("body", [b"[" * 100_000, b"9" * 5000, b'{"a":' * 50_000, b"\xff\xfe"])
async def test_odd_json_is_no_error_of_ours(tenant: Tenant, body: bytes) -> None:
    headers = {**tenant.headers, "Content-Type": "application/json"}
    answer = await tenant.http.post("/v1/contacts", content=body, headers=headers)
    assert answer.status_code in (400, 422), answer.text


@pytest.mark.parametrize("encoding", ["a\x00b"])
async def test_a_nul_in_an_encoding_is_422(tenant: Tenant, encoding: str) -> None:
    assert placed(await tenant.upload(b"phone\n0171 1234567\n", encoding=encoding)) == [
        "query/encoding"
    ]


@pytest.mark.parametrize(
    "encoding",
    ["unicode_escape", "raw_unicode_escape", "utf-7", "idna", "punycode", "rot13", "base64",
     "undefined", "no-such", "../etc", "x" * 40],
)  # fmt: skip
async def test_only_charsets_are_encodings(tenant: Tenant, encoding: str) -> None:
    answer = await tenant.upload(b"phone,name\n0171 1234567,\\ud800\n", encoding=encoding)
    assert answer.status_code == 422, answer.text
    assert answer.json()["type"].endswith("import-undecodable")
    assert "utf-8, utf-16" in answer.json()["detail"]


async def test_a_stray_nul_costs_its_row(tenant: Tenant) -> None:
    rows = "phone,name\n0171 1234567,Zoë\n0171 12\x0034568,Bob\n0171 1234569,Carl\n"
    told = (await tenant.upload(rows.encode())).json()
    named = (await tenant.upload(rows.encode(), encoding="utf-8")).json()
    for one in (told, named):
        assert one["rejected_by_reason"] == {"unreadable_character": 1}
        assert one["counts"]["audience"] == 2
    [reject] = (await tenant.get(f"/v1/imports/{told['id']}/rejects")).json()["data"]
    assert (reject["row"], reject["reason"]) == (3, "unreadable_character")


async def test_a_nul_in_a_header_or_a_file_name(tenant: Tenant) -> None:
    answer = await tenant.upload(b"ph\x00one\n0171 1234567\n")
    assert answer.status_code == 422
    assert "header holds NUL" in answer.json()["detail"]
    part = b"phone\n0171 1234567\n"
    body = (
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="a\x00b.csv"\r\n\r\n'
        + part + b"\r\n--b--\r\n"
    )  # fmt: skip
    headers = {**tenant.headers, "Content-Type": "multipart/form-data; boundary=b"}
    answer = await tenant.http.post("/v1/imports", content=body, headers=headers)
    assert answer.status_code in (201, 400, 422), answer.text


@pytest.mark.parametrize(
    ("path", "body", "place"),
    [
        ("/v1/keys", {"name": "n", "scopes": ["runs:read"],
                      "expires_at": "0001-01-01T00:00:00+10:00"}, "#/expires_at"),
        ("/v1/keys", {"name": "n", "scopes": ["runs:read"],
                      "expires_at": "9999-12-31T23:00:00-10:00"}, "#/expires_at"),
        ("/v1/keys", {"name": "n", "scopes": ["runs:read"] * 51}, "#/scopes"),
        ("/v1/runs", {**RUN, "policy": {"per_second": float("nan")}}, "#/policy/per_second"),
        ("/v1/runs", {**RUN, "policy": {"per_second": 1e-300}}, "#/policy/per_second"),
        ("/v1/runs", {**RUN, "channel_id": "c" * 50_000}, "#/channel_id"),
        ("/v1/runs", {**RUN, "audience": {"contact_ids": ["c" * 50_000]}},
         "#/audience/contact_ids/0"),
        ("/v1/messages", {"channel_id": "c", "text": "t", "contact_id": "c" * 99}, "#/contact_id"),
    ],
)  # fmt: skip
async def test_a_value_out_of_bounds_is_422_with_its_place(
    tenant: Tenant, path: str, body: object, place: str
) -> None:
    assert placed(await send(tenant, "POST", path, body)) == [place]


async def test_a_batch_of_meta_that_is_no_batch_is_kept(tenant: Tenant) -> None:
    path = f"/callbacks/meta/{await tenant.whatsapp_channel()}"
    huge = {"id": "w", "status": "failed", "errors": [{"code": 10**300, "title": "t"}]}
    late = {"id": "w", "status": "sent", "timestamp": "9" * 18}
    for body in (b"\x00", b"[" * 100_000, meta_body(huge), meta_body(late)):
        answer = await tenant.http.post(path, content=body, headers=meta_signature(body))
        assert answer.status_code == 200, answer.text


async def test_ids_of_another_business_are_ids_of_nothing(tenant: Tenant, other: Tenant) -> None:
    channel = await tenant.whatsapp_channel()
    asked = {"channel_id": channel, "to": "0171 1234567", "text": "Hello"}
    message = (await tenant.post("/v1/messages", asked)).json()["id"]
    [key] = (await tenant.get("/v1/keys")).json()["data"]
    contact = (await tenant.post("/v1/contacts", {"phone": "0171 1234567"})).json()["id"]
    assert (await other.get(f"/v1/messages/{message}")).status_code == 404
    gone = await other.http.delete(f"/v1/keys/{key['id']}", headers=other.headers)
    assert gone.status_code == 404
    assert (await tenant.get("/v1/business")).status_code == 200
    assert placed(await other.post("/v1/messages", asked)) == ["#/channel_id"]
    own = await other.whatsapp_channel()
    to_contact = {"channel_id": own, "contact_id": contact, "text": "Hello"}
    assert placed(await other.post("/v1/messages", to_contact)) == ["#/contact_id"]
    same = await other.post("/v1/contacts", {"phone": "0171 1234567"})
    assert same.status_code == 201  # a number is taken within a business, not among all


async def test_every_route_says_which_credential_it_takes(parts: Parts) -> None:
    paths = application(parts).openapi()["paths"]
    taken = {
        (path, method): [name for one in told["security"] for name in one]
        for path, methods in paths.items()
        for method, told in methods.items()
    }
    assert taken.pop(("/v1/businesses", "post")) == ["operator"]
    assert taken.pop(("/v1/businesses/{business_id}", "patch")) == ["operator"]
    assert all(names == ["key"] for names in taken.values()), taken
