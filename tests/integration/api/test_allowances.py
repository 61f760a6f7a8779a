"""What bounds a business: its own budget for contacts, and what the operator grants it."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from tests.integration.api.conftest import OPERATOR, Tenant, facts

from trunkline_common.db import Database

BUDGET = {"most": 3, "days": 7}


async def change(tenant: Tenant, **changes: Any) -> httpx.Response:
    return await tenant.http.patch("/v1/business", json=changes, headers=tenant.headers)


async def grant(tenant: Tenant, *, token: str = OPERATOR, **granted: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"}
    return await tenant.http.patch(f"/v1/businesses/{tenant.id}", json=granted, headers=headers)


async def told(database: Database, tenant: Tenant) -> list[dict[str, Any]]:
    return [f["payload"] for f in await facts(database, tenant.id, "business.settings_changed.v1")]


async def test_a_contact_budget_is_set_told_kept_and_lifted(
    tenant: Tenant, database: Database
) -> None:
    assert (await tenant.get("/v1/business")).json()["contact_budget"] is None
    assert (await change(tenant, contact_budget=BUDGET)).json()["contact_budget"] == BUDGET
    assert (await change(tenant, name="Other")).json()["contact_budget"] == BUDGET
    assert (await change(tenant, contact_budget=None)).json()["contact_budget"] is None
    said = [fact["contact_budget"] for fact in await told(database, tenant)]
    assert said == [BUDGET, BUDGET, None]


@pytest.mark.parametrize("wrong", [{"most": 0, "days": 7}, {"most": 1, "days": 91}, {"most": 1}])
async def test_a_budget_that_means_nothing_is_refused(
    tenant: Tenant, wrong: dict[str, int]
) -> None:
    assert (await change(tenant, contact_budget=wrong)).status_code == 422


async def test_the_operator_grants_weight_and_concurrent_calls(
    tenant: Tenant, database: Database
) -> None:
    assert (await tenant.get("/v1/business")).json()["weight"] == 1
    answer = await grant(tenant, weight=3, concurrent=50)
    assert (answer.status_code, answer.json()["weight"]) == (200, 3)
    assert (await grant(tenant, weight=2)).json()["concurrent"] == 50
    assert (await grant(tenant, concurrent=None)).json()["concurrent"] is None
    said = [(fact["weight"], fact["concurrent"]) for fact in await told(database, tenant)]
    assert said == [(3, 50), (2, 50), (2, None)]
    assert [fact["version"] for fact in await told(database, tenant)] == [1, 2, 3]


async def test_a_business_grants_itself_nothing(tenant: Tenant) -> None:
    assert (await grant(tenant, token=tenant.key, weight=100)).status_code == 401
    for field in ("weight", "concurrent"):
        assert (await change(tenant, **{field: 100})).status_code == 422
    headers = {"Authorization": f"Bearer {OPERATOR}"}
    missing = await tenant.http.patch("/v1/businesses/biz_none", json={}, headers=headers)
    assert missing.status_code == 404


async def test_a_new_business_has_the_installations_cap(tenant: Tenant, database: Database) -> None:
    concurrent = (await tenant.get("/v1/business")).json()["concurrent"]
    [fact] = await facts(database, tenant.id, "business.created.v1")
    assert concurrent == 5_000 == fact["payload"]["concurrent"]
