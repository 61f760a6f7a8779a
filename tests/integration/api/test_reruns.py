"""Children of runs: whoever ended so, each once, under one key; from a real outbound."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from tests.integration.api.conftest import Tenant, facts
from tests.integration.api.served import free_port, served
from tests.integration.api.test_projections import hear
from tests.integration.outbound.scene import Scene

from trunkline_api import reruns
from trunkline_api.gateways.outbound import OutboundLog
from trunkline_api.gateways.outcomes import OutcomeReader
from trunkline_api.parts import Parts
from trunkline_common.contracts import outbound
from trunkline_common.contracts.api import AudienceContact, RunAudienceAdded, RunAudienceClosed
from trunkline_common.db import Database, transaction
from trunkline_common.http import create_app
from trunkline_common.loops import Stop
from trunkline_outbound.routes_outcomes import outcome_router

TOKEN = "internal-token-of-the-tests"
ENDS = [
    ("done", "answered"), ("done", "busy"), ("exhausted", "busy"), ("exhausted", "no_answer"),
    ("skipped", None), ("cancelled", None), ("unknown", None), ("done", "machine"),
]  # fmt: skip


@pytest.fixture
async def parts(parts: Parts, outbound_database: Database) -> AsyncIterator[Parts]:
    """Api that knows where outbound is."""
    app = create_app("outbound", [outcome_router(outbound_database, TOKEN)], openapi_url=None)
    async with served(app, Stop()) as url:
        yield replace(parts, outbound=OutboundLog(url, TOKEN))


async def everybody(tenant: Tenant) -> list[str]:
    made = []
    for number in range(len(ENDS)):
        answer = await tenant.post("/v1/contacts", {"phone": f"0171 12345{number:02d}"})
        made.append(str(answer.json()["id"]))
    return made


@pytest.fixture
async def ids(tenant: Tenant) -> list[str]:
    """The contacts, in the order of `ENDS`."""
    return await everybody(tenant)


@pytest.fixture
async def parent(
    tenant: Tenant, database: Database, outbound_database: Database, ids: list[str]
) -> str:
    """A run that has ended, in outbound with each way to end."""
    drafted = await tenant.draft(
        await tenant.voice_channel(), {"contact_ids": ids}, policy={"per_second": 2.0}
    )
    run = str(drafted.json()["id"])
    scene = Scene(outbound_database, business_id=tenant.id)
    await scene.open_channel()
    await scene.hear(scene.requested(run))
    people = tuple(
        AudienceContact(contact_id=contact, address=f"+4917112345{number:02d}")
        for number, contact in enumerate(ids)
    )
    await scene.hear(RunAudienceAdded(run_id=run, chunk=1, contacts=people))
    await scene.hear(RunAudienceClosed(run_id=run, chunks=1, contacts=len(people)))
    for seq, (state, outcome) in enumerate(ENDS, start=1):
        await scene.rows(
            "UPDATE jobs SET state = :s, outcome = :o, reason = 'r' WHERE run_id = :r AND seq = :q"
            " RETURNING 1",
            s=state, o=outcome, r=run, q=seq,
        )  # fmt: skip
    await scene.rows("UPDATE runs SET state = 'completed' WHERE run_id = :r RETURNING 1", r=run)
    over = outbound.RunCompleted(run_id=run, version=9, total=8, states={}, outcomes={})
    await hear(database, tenant.id, over)
    return run


async def rerun(
    tenant: Tenant, parent: str, outcomes: list[str], key: str = "k", **more: Any
) -> httpx.Response:
    body = {"key": key, "outcomes": outcomes, **more}
    return await tenant.post(f"/v1/runs/{parent}/reruns", body)


async def audience(database: Database, run: str) -> list[str]:
    query = text("SELECT contact_id FROM audience_members WHERE list_id = :r ORDER BY position")
    async with transaction(database) as session:
        return list((await session.execute(query, {"r": run})).scalars())


@pytest.mark.parametrize(
    ("outcomes", "wanted"),
    [
        (["busy"], [1, 2]),
        (["exhausted"], [2, 3]),
        (["busy", "exhausted", "no_answer"], [1, 2, 3]),
        (["cancelled"], [5]),
        (["skipped", "machine"], [4, 7]),
        (["unknown"], [6]),
        (["answered"], [0]),
    ],
    ids=str,
)
async def test_the_child_is_for_whoever_ended_so(
    tenant: Tenant,
    database: Database,
    ids: list[str],
    parent: str,
    outcomes: list[str],
    wanted: list[int],
) -> None:
    answer = await rerun(tenant, parent, outcomes)
    assert answer.status_code == 201, answer.text
    child = answer.json()
    assert (child["parent_id"], child["state"], child["preparing"]) == (parent, "draft", False)
    assert child["policy"]["per_second"] == 2.0
    assert await audience(database, child["id"]) == [ids[place] for place in wanted]
    [listed] = (await tenant.get(f"/v1/runs/{parent}/reruns")).json()["data"]
    assert (listed["id"], listed["name"]) == (child["id"], "spring (again)")


async def test_one_key_is_one_child(tenant: Tenant, database: Database, parent: str) -> None:
    """Also of requests at the same time; a request that differs is told that it does."""
    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(rerun(tenant, parent, ["busy"])) for _ in range(4)]
    answers = [task.result() for task in asked]
    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 201]
    assert len({answer.json()["id"] for answer in answers}) == 1
    for other in ({"outcomes": ["unknown"]}, {"outcomes": ["busy"], "name": "x"}):
        answer = await tenant.post(f"/v1/runs/{parent}/reruns", {"key": "k", **other})
        assert (answer.status_code, answer.json()["type"][-16:]) == (409, ":rerun-key-taken")
    assert (await rerun(tenant, parent, ["busy"], key="k2")).status_code == 201
    assert len((await tenant.get(f"/v1/runs/{parent}/reruns")).json()["data"]) == 2
    assert len(await facts(database, tenant.id, "run.requested.v1")) == 0


@pytest.mark.parametrize("size", [1, 2, 3])
async def test_pages_lose_and_double_nobody(
    parts: Parts, tenant: Tenant, database: Database, ids: list[str], parent: str, size: int
) -> None:
    """The child of a request that ended early: it cannot be started until the loop has it whole.

    Two that read the same page put nobody on the list twice.
    """
    child = (await rerun(tenant, parent, ["busy", "no_answer", "unknown"])).json()["id"]
    async with transaction(database) as session:
        for reset in (
            "DELETE FROM audience_members WHERE list_id = :r AND position > 2",
            "UPDATE rerun_builds SET after_seq = 2, closed_at = NULL WHERE run_id = :r",
            "UPDATE rerun_builds SET listed_at = NULL WHERE run_id = :r",
            "UPDATE runs SET preparing = true WHERE id = :r",
        ):
            await session.execute(text(reset), {"r": child})
    refused = await tenant.post(f"/v1/runs/{child}/start")
    assert (refused.status_code, refused.json()["type"][-19:]) == (409, ":audience-preparing")
    reader = OutcomeReader(parts.outbound)

    async def gather() -> None:
        while await reruns.gather_some(database, reader, tenant.id, child, limit=size):
            pass

    async with asyncio.TaskGroup() as group:
        for _ in range(2):
            group.create_task(gather())
    assert await audience(database, child) == [ids[place] for place in (1, 2, 3, 6)]
    assert not await reruns.gather_next(database, reader, idle=0)
    assert (await tenant.post(f"/v1/runs/{child}/start")).status_code == 202


async def test_it_may_differ_and_start_at_once_and_is_audited(
    tenant: Tenant, database: Database, parent: str
) -> None:
    answer = await rerun(
        tenant, parent, ["unknown"], name="once more", start=True,
        content={"script": "We call again"}, policy={"per_second": None, "concurrent": 3},
    )  # fmt: skip
    child = answer.json()
    assert (child["state"], child["name"]) == ("starting", "once more")
    assert "per_second" not in child["policy"]
    assert child["policy"]["concurrent"] == 3
    [said] = await facts(database, tenant.id, "run.requested.v1")
    assert said["payload"]["content"]["script"] == "We call again"
    control = (await tenant.get(f"/v1/runs/{parent}/controls")).json()["data"][0]
    assert (control["control"], control["state"]) == ("rerun", "done")
    assert control["asked"]["outcomes"] == ["unknown"]
    assert control["asked_by"].startswith("key_")
    assert control["answer"] == {"child_id": child["id"], "contacts": 1}


async def test_a_start_that_is_refused_leaves_a_draft_and_says_why(
    tenant: Tenant, parent: str
) -> None:
    channel = (await tenant.get(f"/v1/runs/{parent}")).json()["channel_id"]
    await tenant.http.patch(
        f"/v1/channels/{channel}", json={"enabled": False}, headers=tenant.headers
    )
    assert (await rerun(tenant, parent, ["busy"], start=True)).json()["state"] == "draft"
    control = (await tenant.get(f"/v1/runs/{parent}/controls")).json()["data"][0]
    assert control["answer"]["start_refused"] == "channel-disabled"


async def test_what_cannot_be_run_again_is_refused_and_nothing_is_made(
    parts: Parts, tenant: Tenant, other: Tenant, parent: str
) -> None:
    foreign = await rerun(other, parent, ["busy"])
    assert (foreign.status_code, (await other.get(f"/v1/runs/{parent}/reruns")).status_code) == (
        404, 404,
    )  # fmt: skip
    nobody = await rerun(tenant, parent, ["failed"])
    assert (nobody.status_code, nobody.json()["type"][-17:]) == (409, ":nothing-to-rerun")
    draft = (await tenant.draft(await tenant.voice_channel(), {"all": True})).json()["id"]
    early = await rerun(tenant, draft, ["busy"])
    assert (early.status_code, early.json()["type"][-13:]) == (409, ":run-not-over")
    bodies: list[dict[str, Any]] = [
        {"outcomes": []},
        {"outcomes": ["everything"]},
        {"outcomes": ["busy"], "key": ""},
    ]
    for bad in bodies:
        answer = await tenant.post(f"/v1/runs/{parent}/reruns", {"key": "k", **bad})
        assert answer.status_code == 422
    away = OutcomeReader(OutboundLog(f"http://127.0.0.1:{free_port()}", TOKEN))
    wish = reruns.Wish("k", ["busy"], "key_1", "c")
    with pytest.raises(Exception, match="outbound does not answer"):
        await reruns.ask(parts.database, away, tenant.id, parent, wish)
    assert (await tenant.get(f"/v1/runs/{parent}/reruns")).json()["data"] == []
