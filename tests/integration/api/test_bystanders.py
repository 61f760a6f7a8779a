"""What of one business cannot be gone on with keeps no other's waiting: each loop takes turns."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import pytest
from sqlalchemy import text
from tests.integration.api.conftest import Tenant
from tests.integration.api.served import served
from tests.integration.api.test_projections import run_of

from trunkline_api import forecasts, reruns
from trunkline_api.gateways.forecasts import DraftCounter
from trunkline_api.gateways.outbound import OutboundLog
from trunkline_api.gateways.outcomes import OutcomeReader
from trunkline_api.parts import Parts
from trunkline_api.store import forecasts as forecast_store
from trunkline_common.db import Database, transaction
from trunkline_common.http import Problem, create_app
from trunkline_common.loops import Stop
from trunkline_outbound.routes_forecasts import forecast_router
from trunkline_outbound.routes_outcomes import outcome_router

TOKEN = "internal-token-of-the-tests"


@pytest.fixture
async def parts(parts: Parts, outbound_database: Database) -> AsyncIterator[Parts]:
    """Api that knows where outbound is."""
    answering = [router(outbound_database, TOKEN) for router in (forecast_router, outcome_router)]
    app = create_app("outbound", answering, openapi_url=None)
    async with served(app, Stop()) as url:
        yield replace(parts, outbound=OutboundLog(url, TOKEN))


async def change(database: Database, sql: str, **values: object) -> None:
    async with transaction(database) as session:
        await session.execute(text(sql), values)


async def two_turns(look: Callable[[], Awaitable[bool]]) -> list[bool]:
    """Whether each of two looks of the loop went wrong, as the loop lives through it."""
    went_wrong = []
    for _ in range(2):
        try:
            await look()
        except Problem:
            went_wrong.append(True)
        else:
            went_wrong.append(False)
    return went_wrong


async def test_a_draft_that_cannot_be_counted_lets_others_be_counted(
    parts: Parts, tenant: Tenant, other: Tenant, database: Database
) -> None:
    for each in (tenant, other):
        await each.post("/v1/contacts", {"phone": "0171 1234567"})
    bad, good = await run_of(tenant), await run_of(other)
    for owner, run in ((tenant, bad), (other, good)):
        async with transaction(database) as session:
            await forecast_store.ask(session, owner.id, run)
    await change(database, "UPDATE runs SET policy = '{\"record\": 5}' WHERE id = :r", r=bad)
    counter = DraftCounter(parts.outbound)
    assert await two_turns(lambda: forecasts.count_next(database, counter, idle=0)) == [True, False]
    told = (await other.get(f"/v1/runs/{good}/forecast")).json()
    assert (told["state"], told["forecast"]["contacts"]) == ("done", 1)


async def test_a_child_that_cannot_be_gathered_lets_others_be_gathered(
    parts: Parts, tenant: Tenant, other: Tenant, database: Database
) -> None:
    bad, good = await run_of(tenant), await run_of(other)
    for owner, run, outcomes in ((tenant, bad, []), (other, good, ["busy"])):
        await change(
            database,
            "INSERT INTO rerun_builds (run_id, business_id, parent_id, control_id, outcomes,"
            " starts, asked_by, correlation_id, built_at) VALUES (:run, :business, 'run_none',"
            " 'ctl_none', :outcomes, false, 'k', 'c', clock_timestamp() - interval '1 minute')",
            run=run, business=owner.id, outcomes=outcomes,
        )  # fmt: skip
    reader = OutcomeReader(parts.outbound)
    assert await two_turns(lambda: reruns.gather_next(database, reader, idle=0)) == [True, False]
    async with transaction(database) as session:
        open_ones = await session.execute(
            text("SELECT run_id FROM rerun_builds WHERE closed_at IS NULL")
        )
        assert list(open_ones.scalars()) == [bad]
