"""What a run shows is what is in force: an edit once outbound says so, a refused one never."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from tests.integration.api.conftest import Tenant, facts
from tests.integration.api.test_projections import hear, run_of

from trunkline_common.contracts import outbound
from trunkline_common.db import Database
from trunkline_common.outcomes import Refuse
from trunkline_common.testing import facts as waiting

SOON = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)


@pytest.fixture
async def run_id(tenant: Tenant) -> str:
    """A run that waits for its start."""
    await tenant.post("/v1/contacts", {"phone": "0171 1234567"})
    run = await run_of(tenant)
    answer = await tenant.post(f"/v1/runs/{run}/start", {"start_at": SOON.isoformat()})
    assert answer.status_code == 202
    return run


async def edit(tenant: Tenant, run: str, **body: Any) -> httpx.Response:
    return await tenant.http.patch(f"/v1/runs/{run}", json=body, headers=tenant.headers)


async def said(tenant: Tenant, database: Database) -> list[dict[str, Any]]:
    return [fact["payload"] for fact in await facts(database, tenant.id, "run.edited.v1")]


async def shown(tenant: Tenant, run: str) -> tuple[Any, Any, str]:
    told = (await tenant.get(f"/v1/runs/{run}")).json()
    policy = told["policy"]
    return policy.get("per_second"), policy.get("concurrent"), told["start_at"]


def at(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def in_force(run: str, wish: dict[str, Any], step: int) -> outbound.RunPolicyChanged:
    return outbound.RunPolicyChanged(
        run_id=run, step=step, control_id=wish["control_id"], policy=wish["policy"]
    )


async def test_an_edit_shows_once_it_is_in_force(
    tenant: Tenant, database: Database, run_id: str
) -> None:
    later = SOON + timedelta(days=1)
    pending = await edit(tenant, run_id, policy={"per_second": 2.5}, start_at=later.isoformat())
    assert (pending.status_code, pending.json()["number"]) == (202, 2)
    assert await shown(tenant, run_id) == (None, None, at(SOON))
    [wish] = await said(tenant, database)
    await hear(database, tenant.id, in_force(run_id, wish, 1))
    assert await shown(tenant, run_id) == (2.5, None, at(later))


async def test_a_refused_edit_never_shows(tenant: Tenant, database: Database, run_id: str) -> None:
    await edit(tenant, run_id, policy={"per_second": 2.5})
    [wish] = await said(tenant, database)
    refused = outbound.RunControlRefused(
        run_id=run_id, control_id=wish["control_id"], control="edit", state="cancelling",
        reason="the run is being cancelled",
    )  # fmt: skip
    await hear(database, tenant.id, refused)
    assert await shown(tenant, run_id) == (None, None, at(SOON))
    await edit(tenant, run_id, policy={"concurrent": 4})
    assert (await said(tenant, database))[-1]["policy"]["per_second"] is None


async def test_edits_add_up_and_the_later_shows_whichever_is_told_first(
    tenant: Tenant, database: Database, run_id: str
) -> None:
    await edit(tenant, run_id, policy={"per_second": 2.5})
    await edit(tenant, run_id, policy={"concurrent": 4})
    first, second = await said(tenant, database)
    assert second["policy"]["per_second"] == 2.5
    assert second["start_at"] is not None
    assert second["number"] > first["number"]
    await hear(database, tenant.id, in_force(run_id, second, 2), in_force(run_id, first, 1))
    assert await shown(tenant, run_id) == (2.5, 4, at(SOON))


async def test_one_that_was_overtaken_is_a_conflict_of_its_own(
    tenant: Tenant, database: Database, run_id: str
) -> None:
    async with asyncio.TaskGroup() as group:
        request = group.create_task(edit(tenant, run_id, policy={"per_second": 2.5}))

        async def left() -> list[dict[str, Any]]:
            return await said(tenant, database)

        [wish] = await waiting.eventually(left)
        refused = outbound.RunControlRefused(
            run_id=run_id, control_id=wish["control_id"], control="edit", state="ready",
            reason="superseded",
        )  # fmt: skip
        await hear(database, tenant.id, refused)
    answer = request.result()
    assert (answer.status_code, answer.json()["type"]) == (
        409, "urn:trunkline:problem:control-superseded",
    )  # fmt: skip
    [told, _start] = (await tenant.get(f"/v1/runs/{run_id}/controls")).json()["data"]
    assert (told["state"], told["reason"]) == ("refused", "superseded")
    assert await shown(tenant, run_id) == (None, None, at(SOON))


async def test_numbers_grow_with_every_control(
    tenant: Tenant, database: Database, run_id: str
) -> None:
    for control in ("pause", "resume", "cancel"):
        await tenant.post(f"/v1/runs/{run_id}/{control}")
    numbers = [
        (await facts(database, tenant.id, f"run.{control}_requested.v1"))[0]["payload"]["number"]
        for control in ("pause", "resume", "cancel")
    ]
    assert numbers == [2, 3, 4]  # the start was the first


async def test_another_business_cannot_say_what_is_in_force(
    tenant: Tenant, other: Tenant, database: Database, run_id: str
) -> None:
    await edit(tenant, run_id, policy={"per_second": 2.5})
    [wish] = await said(tenant, database)
    with pytest.raises(Refuse):
        await hear(database, other.id, in_force(run_id, wish, 1))
    assert (await edit(other, run_id, policy={"per_second": 1})).status_code == 404
    assert await shown(tenant, run_id) == (None, None, at(SOON))
