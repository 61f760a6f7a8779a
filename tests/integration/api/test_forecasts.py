"""Forecasts through the API: drafts counted by a real outbound, started runs by asking it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text
from tests.integration.api.conftest import Tenant, facts
from tests.integration.api.served import free_port, served
from tests.integration.api.test_projections import hear, run_of
from tests.integration.outbound.scene import Scene

from trunkline_api import forecasts
from trunkline_api.gateways.forecasts import DraftCounter
from trunkline_api.gateways.outbound import OutboundLog
from trunkline_api.parts import Parts
from trunkline_api.store import forecasts as store
from trunkline_common.contracts import outbound
from trunkline_common.contracts.runs import Forecast, RunForecasted
from trunkline_common.contracts.suppressions import ContactSuppressed
from trunkline_common.db import Database, transaction
from trunkline_common.http import create_app
from trunkline_common.loops import Stop
from trunkline_common.outcomes import Refuse
from trunkline_common.testing import facts as waiting
from trunkline_outbound.routes_forecasts import forecast_router

TOKEN = "internal-token-of-the-tests"
AT = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture
async def parts(parts: Parts, outbound_database: Database) -> AsyncIterator[Parts]:
    """Api that knows where outbound is."""
    app = create_app("outbound", [forecast_router(outbound_database, TOKEN)], openapi_url=None)
    async with served(app, Stop()) as url:
        yield replace(parts, outbound=OutboundLog(url, TOKEN))


async def people(tenant: Tenant, count: int) -> list[str]:
    made = []
    for number in range(count):
        answer = await tenant.post("/v1/contacts", {"phone": f"0171 12345{number:02d}"})
        made.append(str(answer.json()["id"]))
    return made


def foreseen(contacts: int) -> Forecast:
    return Forecast(
        at=AT, contacts=contacts, suppressed={}, invalid=0, open=contacts, outside=0,
        zone_unknown=0, never_opens=0,
    )  # fmt: skip


async def suppress(database: Database, tenant: Tenant, number: str) -> None:
    await Scene(database, business_id=tenant.id).hear(
        ContactSuppressed(
            suppression_id="sup_1", kind="address", value=number, version=1, source="api"
        )
    )


@pytest.mark.parametrize("audience", ["all", "contacts", "import"])
async def test_a_draft_is_counted_whatever_its_audience(
    tenant: Tenant, outbound_database: Database, audience: str
) -> None:
    ids = await people(tenant, 4)
    upload = await tenant.upload(b"phone\n0171 1234500\n0171 1234501\n0171 1234501\n0171 1234502\n")
    chosen: dict[str, dict[str, Any]] = {
        "all": {"all": True},
        "contacts": {"contact_ids": ids[:3]},
        "import": {"import_id": upload.json()["id"]},
    }
    await suppress(outbound_database, tenant, "+491711234501")
    drafted = await tenant.draft(
        await tenant.voice_channel(), chosen[audience], policy={"per_second": 0.5}
    )
    run = drafted.json()["id"]
    answer = await tenant.post(f"/v1/runs/{run}/forecast")
    assert (answer.status_code, answer.json()["state"]) == (200, "done"), answer.text
    forecast = answer.json()["forecast"]
    everybody = 4 if audience == "all" else 3
    assert (forecast["contacts"], forecast["suppressed"]) == (everybody, {"address": 1})
    assert forecast["open"] == everybody - 1
    assert forecast["duplicates"] == (1 if audience == "import" else None)
    begins, ends = (datetime.fromisoformat(forecast[name]) for name in ("at", "ends_at"))
    assert (ends - begins).total_seconds() == 2 * (everybody - 2)
    assert (await tenant.get(f"/v1/runs/{run}/forecast")).json() == answer.json()
    told = (await tenant.get(f"/v1/runs/{run}")).json()
    assert (told["forecast"], told["state"]) == (forecast, "draft")


@pytest.mark.parametrize("piece", [1, 2, 3, 4])
async def test_the_pieces_make_the_whole(
    parts: Parts, tenant: Tenant, database: Database, piece: int
) -> None:
    ids = await people(tenant, 3)
    channel = await tenant.voice_channel()
    audiences: list[dict[str, Any]] = [{"all": True}, {"contact_ids": ids}]
    for audience in audiences:
        run = (await tenant.draft(channel, audience)).json()["id"]
        async with transaction(database) as session:
            asked: store.Asked | None = await store.ask(session, tenant.id, run)
        while asked is not None:
            asked = await forecasts.count_some(
                database, DraftCounter(parts.outbound), asked, piece=piece
            )
        told = (await tenant.get(f"/v1/runs/{run}/forecast")).json()
        assert (told["state"], told["forecast"]["contacts"]) == ("done", 3)


async def test_what_its_request_has_left_is_gone_on_with(
    parts: Parts, tenant: Tenant, database: Database
) -> None:
    """A request that died in the middle: the mark and the tally are kept, nobody is counted twice.

    Two that count the same piece come to the same tally.
    """
    await people(tenant, 3)
    run = await run_of(tenant)
    counter = DraftCounter(parts.outbound)
    async with transaction(database) as session:
        asked = await store.ask(session, tenant.id, run)
    assert (await tenant.get(f"/v1/runs/{run}/forecast")).json()["state"] == "counting"
    async with asyncio.TaskGroup() as group:
        for _ in range(2):
            group.create_task(forecasts.count_some(database, counter, asked, piece=2))
    assert not await forecasts.count_next(database, counter, idle=60)
    assert await forecasts.count_next(database, counter, idle=0)
    told = (await tenant.get(f"/v1/runs/{run}/forecast")).json()
    assert (told["state"], told["forecast"]["contacts"]) == ("done", 3)


async def test_a_started_run_is_foreseen_by_outbound(tenant: Tenant, database: Database) -> None:
    await people(tenant, 1)
    run = await run_of(tenant)
    await tenant.post(f"/v1/runs/{run}/start")
    pending = await tenant.post(f"/v1/runs/{run}/forecast")
    assert (pending.status_code, pending.json()["state"]) == (202, "counting")
    assert pending.headers["location"] == f"/v1/runs/{run}/forecast"
    async with asyncio.TaskGroup() as group:
        request = group.create_task(tenant.post(f"/v1/runs/{run}/forecast"))

        async def said() -> list[Any]:
            found = await facts(database, tenant.id, "run.forecast_requested.v1")
            return found if len(found) == 2 else []

        asked = (await waiting.eventually(said))[-1]["payload"]
        event = RunForecasted(run_id=run, asked=asked["asked"], forecast=foreseen(7))
        await hear(database, tenant.id, event)
    answer = request.result()
    assert (answer.status_code, answer.json()["forecast"]["contacts"]) == (200, 7)


async def test_a_draft_that_is_started_is_counted_no_further(
    tenant: Tenant, database: Database
) -> None:
    await people(tenant, 1)
    run = await run_of(tenant)
    async with transaction(database) as session:
        await store.ask(session, tenant.id, run)
    await tenant.post(f"/v1/runs/{run}/start")
    assert (await tenant.get(f"/v1/runs/{run}/forecast")).json()["state"] == "none"
    await hear(database, tenant.id, RunForecasted(run_id=run, asked=0, forecast=foreseen(1)))
    told = (await tenant.get(f"/v1/runs/{run}")).json()
    assert told["forecast"]["contacts"] == 1
    assert told["forecast_at"] is not None


async def test_of_two_forecasts_the_later_shows(tenant: Tenant, database: Database) -> None:
    run = await run_of(tenant)
    await hear(database, tenant.id, RunForecasted(run_id=run, asked=0, forecast=foreseen(1)))
    async with transaction(database) as session:
        await session.execute(
            text("UPDATE runs SET forecast_at = forecast_at + interval '1 s' WHERE id = :r"),
            {"r": run},
        )
    await hear(database, tenant.id, RunForecasted(run_id=run, asked=0, forecast=foreseen(2)))
    assert (await tenant.get(f"/v1/runs/{run}")).json()["forecast"]["contacts"] == 1


async def test_what_is_over_has_no_future(tenant: Tenant, database: Database) -> None:
    run = await run_of(tenant)
    over = outbound.RunCompleted(run_id=run, version=9, total=0, states={}, outcomes={})
    await hear(database, tenant.id, over)
    answer = await tenant.post(f"/v1/runs/{run}/forecast")
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:trunkline:problem:run-over")


async def test_a_foreign_run_is_not_there_and_nothing_is_asked(
    tenant: Tenant, other: Tenant, database: Database
) -> None:
    run = await run_of(tenant)
    for answer in (
        await other.post(f"/v1/runs/{run}/forecast"),
        await other.get(f"/v1/runs/{run}/forecast"),
    ):
        assert answer.status_code == 404
    async with transaction(database) as session:
        assert (await session.execute(text("SELECT count(*) FROM run_forecasts"))).scalar() == 0
    event = RunForecasted(run_id=run, asked=0, forecast=foreseen(1))
    with pytest.raises(Refuse):
        await hear(database, other.id, event)
    assert (await tenant.get(f"/v1/runs/{run}/forecast")).json()["state"] == "none"


async def test_without_outbound_a_draft_is_foreseen_later(
    parts: Parts, tenant: Tenant, database: Database
) -> None:
    run = await run_of(tenant)
    away = DraftCounter(OutboundLog(f"http://127.0.0.1:{free_port()}", TOKEN))
    with pytest.raises(Exception, match="outbound does not answer"):
        await forecasts.ask(database, away, tenant.id, run, correlation_id="c")
    assert await forecasts.count_next(database, DraftCounter(parts.outbound), idle=0)
    assert (await tenant.get(f"/v1/runs/{run}/forecast")).json()["state"] == "done"
