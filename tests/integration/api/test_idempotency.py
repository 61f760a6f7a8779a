"""A request that is repeated with its key: one effect, one answer, whatever happened in between."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from sqlalchemy import text
from tests.integration.api.conftest import OPERATOR, Tenant

from trunkline_api import idempotency
from trunkline_api.idempotency import Claim
from trunkline_api.parts import Parts
from trunkline_api.store.idempotency import Name
from trunkline_common.db import Database, transaction
from trunkline_common.db.commits import witnessed
from trunkline_common.http import Problem

ANNA = {"phone": "+4917112345678", "name": "Anna"}
BERT = {"phone": "+4917112345679", "name": "Bert"}
PROBLEM = "urn:trunkline:problem:"


async def ask(tenant: Tenant, key: str, asked: Any, path: str = "/v1/contacts") -> httpx.Response:
    headers = {**tenant.headers, "Idempotency-Key": key}
    return await tenant.http.post(path, json=asked, headers=headers)


async def how_many(tenant: Tenant, path: str = "/v1/contacts") -> int:
    return len((await tenant.get(path)).json()["data"])


async def run_sql(database: Database, sql: str) -> Any:
    async with transaction(database) as session:
        return await session.execute(text(sql))


async def unlock(database: Database) -> None:
    """As if the lock's time had passed."""
    await run_sql(database, "UPDATE idempotency_keys SET locked_until = clock_timestamp()")


async def begun(parts: Parts, tenant: Tenant, key: str, asked: Any) -> Claim:
    """A request that has its key, as the route takes it, and is being carried out."""
    first = await ask(tenant, key, asked)
    assert first.status_code == 201
    await run_sql(
        parts.database,
        "UPDATE idempotency_keys SET status = NULL, sealed = NULL, key_id = NULL,"
        " committed_at = NULL",
    )
    await run_sql(parts.database, "DELETE FROM contacts")
    rows = await run_sql(parts.database, "SELECT business_id, key, token FROM idempotency_keys")
    business_id, name, token = rows.one()
    return Claim(Name(business_id, name), token)


def slug(answer: httpx.Response) -> str:
    return str(answer.json()["type"]).removeprefix(PROBLEM)


async def test_a_repetition_is_answered_as_the_first_was(tenant: Tenant) -> None:
    first, again = await ask(tenant, "k1", ANNA), await ask(tenant, "k1", ANNA)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert again.headers["content-type"] == first.headers["content-type"]
    assert again.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    assert await how_many(tenant) == 1


async def test_another_request_under_the_same_key_is_refused(tenant: Tenant) -> None:
    await ask(tenant, "k1", ANNA)
    for other in (await ask(tenant, "k1", BERT), await ask(tenant, "k1", {}, "/v1/runs")):
        assert (other.status_code, slug(other)) == (422, "idempotency-key-reused")
    assert await how_many(tenant) == 1


async def test_the_same_key_of_another_business_is_another_key(
    tenant: Tenant, other: Tenant
) -> None:
    answers = [await ask(one, "k1", ANNA) for one in (tenant, other)]
    assert [one.status_code for one in answers] == [201, 201]
    assert answers[0].json()["id"] != answers[1].json()["id"]


async def test_while_the_first_is_carried_out_the_second_is_told_to_wait(
    parts: Parts, tenant: Tenant
) -> None:
    await begun(parts, tenant, "k1", ANNA)
    second = await ask(tenant, "k1", ANNA)
    assert (second.status_code, slug(second)) == (409, "idempotency-in-progress")
    assert second.headers["retry-after"] == "1"
    assert await how_many(tenant) == 0


async def test_a_request_that_died_before_its_commit_is_carried_out_by_the_next(
    parts: Parts, tenant: Tenant
) -> None:
    dead = await begun(parts, tenant, "k1", ANNA)
    await unlock(parts.database)
    assert (await ask(tenant, "k1", ANNA)).status_code == 201
    # Should it live after all, it cannot commit: another has its key.
    with pytest.raises(Problem, match="is being carried out"), witnessed(dead.witness):
        await run_sql(parts.database, "DELETE FROM contacts")
    assert await how_many(tenant) == 1


async def test_a_request_that_died_after_its_commit_is_not_carried_out_again(
    parts: Parts, tenant: Tenant
) -> None:
    dead = await begun(parts, tenant, "k1", ANNA)
    with witnessed(dead.witness):
        await run_sql(parts.database, "UPDATE businesses SET version = version + 1")
    assert slug(await ask(tenant, "k1", ANNA)) == "idempotency-in-progress"
    await unlock(parts.database)
    lost = await ask(tenant, "k1", ANNA)
    assert (lost.status_code, slug(lost)) == (409, "idempotency-answer-lost")
    assert await how_many(tenant) == 0


async def test_reading_commits_nothing(parts: Parts, tenant: Tenant) -> None:
    held = await begun(parts, tenant, "k1", ANNA)
    with witnessed(held.witness):
        await run_sql(parts.database, "SELECT * FROM businesses")
    assert not held.committed


async def test_a_refusal_leaves_the_key_free(tenant: Tenant) -> None:
    assert (await ask(tenant, "k1", {"phone": "nobody"})).status_code == 422
    assert (await ask(tenant, "k1", {"phone": 1})).status_code == 422
    assert (await ask(tenant, "k1", ANNA)).status_code == 201
    assert slug(await ask(tenant, "k2", ANNA)) == "contact-exists"
    assert slug(await ask(tenant, "k2", ANNA)) == "contact-exists"


async def test_a_secret_is_told_again_to_who_may_and_kept_by_nobody(
    database: Database, tenant: Tenant
) -> None:
    asked = {"name": "reader", "scopes": ["contacts:read"]}
    first = await ask(tenant, "k1", asked, "/v1/keys")
    assert (await ask(tenant, "k1", asked, "/v1/keys")).json() == first.json()
    secret = first.json()["key"]
    kept = (await run_sql(database, "SELECT sealed FROM idempotency_keys")).scalar_one()
    assert secret.rpartition("_")[2] not in kept
    reader = Tenant(tenant.id, secret, tenant.http)
    assert (await ask(reader, "k1", asked, "/v1/keys")).status_code == 403


async def test_a_key_that_may_less_is_not_told_what_another_made(tenant: Tenant) -> None:
    """A key makes none that may more than itself; and the answer holds the new one's secret."""
    maker = {"name": "maker", "scopes": ["keys:write"]}
    lesser = Tenant(
        tenant.id, (await ask(tenant, "k1", maker, "/v1/keys")).json()["key"], tenant.http
    )
    more = {"name": "more", "scopes": ["runs:write"]}
    assert (await ask(tenant, "k2", more, "/v1/keys")).status_code == 201
    refused = await ask(lesser, "k2", more, "/v1/keys")
    assert (refused.status_code, slug(refused)) == (422, "idempotency-key-reused")


async def test_an_answer_that_cannot_be_opened_any_more_is_lost(
    parts: Parts, tenant: Tenant
) -> None:
    """Its sealing key was taken out within the day."""
    await ask(tenant, "k1", ANNA)
    async with transaction(parts.database) as session:
        await session.execute(text("UPDATE idempotency_keys SET key_id = 'k0'"))
    lost = await ask(tenant, "k1", ANNA)
    assert (lost.status_code, slug(lost)) == (409, "idempotency-answer-lost")
    assert await how_many(tenant) == 1


async def test_a_form_is_the_same_whatever_its_boundary(tenant: Tenant) -> None:
    answers = []
    for boundary in ("one", "two"):
        body = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n'
            f"Content-Type: text/csv\r\n\r\nphone\n+4917112345678\n\r\n--{boundary}--\r\n"
        )
        kind = f"multipart/form-data; boundary={boundary}"
        headers = {**tenant.headers, "Idempotency-Key": "k1", "Content-Type": kind}
        answers.append(await tenant.http.post("/v1/imports", content=body, headers=headers))
    assert [one.status_code for one in answers] == [201, 201], answers[0].text
    assert answers[0].json() == answers[1].json()
    assert await how_many(tenant) == 1


@pytest.mark.parametrize("key", ["", " ", "two words", "x" * 256, "é"])
async def test_a_key_that_is_none_is_refused(tenant: Tenant, key: str) -> None:
    bearer = tenant.headers["Authorization"].encode()
    headers = {b"Authorization": bearer, b"Idempotency-Key": key.encode()}
    refused = await tenant.http.post("/v1/contacts", json=ANNA, headers=headers)
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == "header/idempotency-key"
    assert await how_many(tenant) == 0


async def test_the_operators_businesses_are_made_once_too(http: httpx.AsyncClient) -> None:
    headers = {"Authorization": f"Bearer {OPERATOR}", "Idempotency-Key": "k1"}
    asked = {"name": "Bakery", "country": "DE", "time_zone": "Europe/Berlin"}
    answers = [await http.post("/v1/businesses", json=asked, headers=headers) for _ in range(2)]
    assert answers[0].status_code == 201
    assert answers[0].json() == answers[1].json()


async def test_keys_past_their_time_are_forgotten(database: Database, tenant: Tenant) -> None:
    await ask(tenant, "k1", ANNA)
    assert not await idempotency.prune(database)
    await run_sql(database, "UPDATE idempotency_keys SET expires_at = clock_timestamp()")
    assert await idempotency.prune(database)
    assert (await ask(tenant, "k1", BERT)).status_code == 201


async def test_a_key_past_its_time_is_as_new(database: Database, tenant: Tenant) -> None:
    await ask(tenant, "k1", ANNA)
    await run_sql(database, "UPDATE idempotency_keys SET expires_at = clock_timestamp()")
    assert (await ask(tenant, "k1", BERT)).status_code == 201


async def test_each_post_of_the_document_takes_a_key(http: httpx.AsyncClient) -> None:
    document = (await http.get("/openapi.json")).json()
    posts = [path["post"] for path in document["paths"].values() if "post" in path]
    assert len(posts) > 15
    for post in posts:
        names = [one["name"] for one in post.get("parameters", ())]
        assert names.count("Idempotency-Key") == 1, post["operationId"]


async def test_a_patch_of_the_document_has_no_default_that_would_be_refused(
    http: httpx.AsyncClient,
) -> None:
    document = (await http.get("/openapi.json")).json()
    for name, schema in document["components"]["schemas"].items():
        for place, field in schema.get("properties", {}).items():
            if isinstance(field.get("default"), str):
                assert len(field["default"]) >= field.get("minLength", 0), (name, place)
