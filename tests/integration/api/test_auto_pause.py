"""A run's brake: what may be asked for, and what is told once it has stopped the run."""

from __future__ import annotations

from typing import Any

import pytest
from tests.integration.api.conftest import Tenant, facts
from tests.integration.api.test_projections import hear, run_of

from trunkline_common.contracts import outbound
from trunkline_common.db import Database

BRAKE = {"share": 0.25, "minimum": 50, "outcomes": ["failed", "unknown"]}


async def drafted(tenant: Tenant, brake: object) -> Any:
    channel = await tenant.voice_channel()
    return await tenant.draft(channel, {"all": True}, policy={"auto_pause": brake})


async def test_a_brake_goes_with_the_run(tenant: Tenant, database: Database) -> None:
    await tenant.post("/v1/contacts", {"phone": "0171 1234567"})
    run = (await drafted(tenant, BRAKE)).json()
    assert run["policy"]["auto_pause"] == BRAKE
    assert (await tenant.post(f"/v1/runs/{run['id']}/start")).status_code == 202
    [fact] = await facts(database, tenant.id, "run.requested.v1")
    assert fact["payload"]["policy"]["auto_pause"] == BRAKE


async def test_without_its_parts_a_brake_is_the_usual_one(tenant: Tenant) -> None:
    told = (await drafted(tenant, {})).json()["policy"]["auto_pause"]
    assert told == {"share": 0.5, "minimum": 20, "outcomes": ["failed"]}


@pytest.mark.parametrize(
    "wrong", [{"share": 0}, {"share": 1.1}, {"minimum": 0}, {"outcomes": []}, {"outcomes": ["x"]}]
)
async def test_a_brake_that_means_nothing_is_refused(
    tenant: Tenant, wrong: dict[str, object]
) -> None:
    answer = await drafted(tenant, wrong)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"].startswith("#/policy/auto_pause/")


async def test_why_a_run_paused_is_told_until_it_goes_on(
    tenant: Tenant, database: Database
) -> None:
    await tenant.post("/v1/contacts", {"phone": "0171 1234567"})
    run = await run_of(tenant)
    assert (await tenant.post(f"/v1/runs/{run}/start")).status_code == 202
    reason = "auto_pause: 10 of 20 ended failed"
    for event in (
        outbound.RunStarted(run_id=run, total=30, rejects=0),
        outbound.RunPaused(run_id=run, step=1, reason=reason),
    ):
        await hear(database, tenant.id, event)
    told = (await tenant.get(f"/v1/runs/{run}")).json()
    assert (told["state"], told["reason"]) == ("paused", reason)
    await hear(database, tenant.id, outbound.RunResumed(run_id=run, step=2))
    told = (await tenant.get(f"/v1/runs/{run}")).json()
    assert (told["state"], told["reason"]) == ("running", None)
