"""Controls through the API: asked once, answered by outbound, told to whoever asks."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from tests.integration.api.conftest import Tenant, facts
from tests.integration.api.test_projections import hear, run_of

from trunkline_common.contracts import outbound
from trunkline_common.contracts.envelope import Event
from trunkline_common.db import Database
from trunkline_common.testing import facts as waiting

TOMORROW = (datetime.now(UTC) + timedelta(days=1)).isoformat()
COUNTS: dict[str, Any] = {"version": 9, "total": 2, "states": {"cancelled": 2}, "outcomes": {}}


@pytest.fixture
async def run_id(tenant: Tenant, database: Database) -> str:
    """A run that outbound works on."""
    await tenant.post("/v1/contacts", {"phone": "0171 1234567"})
    run = await run_of(tenant)
    assert (await tenant.post(f"/v1/runs/{run}/start")).status_code == 202
    await hear(database, tenant.id, outbound.RunStarted(run_id=run, total=2, rejects=0))
    return run


async def asked(tenant: Tenant, database: Database, name: str) -> dict[str, Any]:
    """The wish that left for outbound."""

    async def said() -> Sequence[Any]:
        return await facts(database, tenant.id, name)

    found = await waiting.eventually(said)
    return dict(found[-1]["payload"])


async def state_of(tenant: Tenant, run: str) -> str:
    return str((await tenant.get(f"/v1/runs/{run}")).json()["state"])


def cancelling(run: str, control: str | None, step: int = 1) -> outbound.RunCancelling:
    return outbound.RunCancelling(
        run_id=run, step=step, control_id=control, stopped=1, in_flight=1, ended=0
    )


async def answered(
    tenant: Tenant, database: Database, run: str, control: str, **body: Any
) -> httpx.Response:
    """Ask, and let outbound answer while the request waits."""
    async with asyncio.TaskGroup() as group:
        request = group.create_task(tenant.post(f"/v1/runs/{run}/{control}", body or None))
        wish = await asked(tenant, database, f"run.{control}_requested.v1")
        answers: dict[str, Event] = {
            "pause": outbound.RunPaused(
                run_id=run, step=1, control_id=wish["control_id"], in_flight=3
            ),
            "resume": outbound.RunResumed(run_id=run, step=2, control_id=wish["control_id"]),
            "cancel": cancelling(run, wish["control_id"], 3),
        }
        await hear(database, tenant.id, answers[control])
    return request.result()


async def test_each_control_waits_for_its_answer(
    tenant: Tenant, database: Database, run_id: str
) -> None:
    paused = await answered(tenant, database, run_id, "pause")
    assert (paused.status_code, paused.json()["answer"]) == (200, {"in_flight": 3})
    assert await state_of(tenant, run_id) == "paused"
    resumed = await answered(tenant, database, run_id, "resume")
    assert (resumed.status_code, resumed.json()["state"]) == (200, "done")
    assert await state_of(tenant, run_id) == "running"
    cancelled = await answered(tenant, database, run_id, "cancel", hang_up=True)
    assert cancelled.json()["answer"] == {"stopped": 1, "in_flight": 1, "ended": 0}
    assert cancelled.json()["asked"] == {"hang_up": True}
    assert await state_of(tenant, run_id) == "cancelling"
    over = outbound.RunCancelled(run_id=run_id, **COUNTS)
    await hear(database, tenant.id, over)
    assert await state_of(tenant, run_id) == "cancelled"

    told = (await tenant.get(f"/v1/runs/{run_id}/controls")).json()["data"]
    assert [one["control"] for one in told] == ["cancel", "resume", "pause", "start"]
    assert all(one["asked_by"].startswith("key_") and one["answered_at"] for one in told)


async def test_without_an_answer_it_is_followed(
    tenant: Tenant, database: Database, run_id: str
) -> None:
    pending = await tenant.post(f"/v1/runs/{run_id}/cancel")
    assert (pending.status_code, pending.json()["state"]) == (202, "pending")
    where = pending.headers["location"]
    await hear(database, tenant.id, cancelling(run_id, pending.json()["id"]))
    told = (await tenant.get(where)).json()
    assert (told["state"], told["answer"]["stopped"]) == ("done", 1)


async def test_a_refusal_is_a_conflict_with_the_reason(
    tenant: Tenant, database: Database, run_id: str
) -> None:
    async with asyncio.TaskGroup() as group:
        request = group.create_task(tenant.post(f"/v1/runs/{run_id}/resume"))
        wish = await asked(tenant, database, "run.resume_requested.v1")
        refused = outbound.RunControlRefused(
            run_id=run_id,
            control_id=wish["control_id"],
            control="resume",
            state="ready",
            reason="the run has not started",
        )
        await hear(database, tenant.id, refused)
    answer = request.result()
    assert answer.status_code == 409
    assert answer.json()["type"].endswith("control-refused")
    assert answer.json()["detail"] == "the run has not started"


@pytest.mark.parametrize("control", ["pause", "resume", "cancel"])
async def test_a_run_of_another_business_does_not_exist(
    tenant: Tenant, other: Tenant, database: Database, run_id: str, control: str
) -> None:
    answer = await other.post(f"/v1/runs/{run_id}/{control}")
    assert answer.status_code == 404
    assert (await other.get(f"/v1/runs/{run_id}/controls")).status_code == 404
    for business in (tenant, other):
        assert not await facts(database, business.id, f"run.{control}_requested.v1")


async def test_a_draft_is_cancelled_here(tenant: Tenant, database: Database) -> None:
    await tenant.post("/v1/contacts", {"phone": "0171 1234567"})
    run = await run_of(tenant)
    for control in ("pause", "resume"):
        assert (await tenant.post(f"/v1/runs/{run}/{control}")).status_code == 409
    cancelled = await tenant.post(f"/v1/runs/{run}/cancel")
    assert cancelled.status_code == 200
    assert cancelled.json()["answer"] == {"stopped": 0, "in_flight": 0, "ended": 0}
    assert await state_of(tenant, run) == "cancelled"
    assert (await tenant.post(f"/v1/runs/{run}/start")).json()["state"] == "cancelled"
    assert not await facts(database, tenant.id, "run.requested.v1")


async def test_what_is_over_is_not_paused(tenant: Tenant, database: Database, run_id: str) -> None:
    await hear(database, tenant.id, outbound.RunCompleted(run_id=run_id, **COUNTS))
    for control in ("pause", "resume", "cancel"):
        assert (await tenant.post(f"/v1/runs/{run_id}/{control}")).status_code == 409


async def test_an_edit_says_the_whole_policy(
    tenant: Tenant, database: Database, run_id: str
) -> None:
    async def edit(**body: Any) -> httpx.Response:
        path = f"/v1/runs/{run_id}"
        return await tenant.http.patch(path, json=body, headers=tenant.headers)

    assert (await edit(policy={"per_second": 2.5, "concurrent": 4})).status_code == 202
    assert (await edit(policy={"per_second": None})).status_code == 202
    policy = (await asked(tenant, database, "run.edited.v1"))["policy"]
    assert (policy["per_second"], policy["concurrent"]) == (None, 4)
    assert (await edit(policy={"per_second": 0})).status_code == 422
    assert (await edit(colour="red")).status_code == 422
    assert (await edit(start_at=TOMORROW)).status_code == 409  # it runs already


async def test_a_run_is_scheduled_moved_and_never_into_the_past(
    tenant: Tenant, database: Database
) -> None:
    await tenant.post("/v1/contacts", {"phone": "0171 1234567"})
    run = await run_of(tenant)
    for late in ("2020-01-01T00:00:00Z", "2020-01-01T00:00:00"):
        answer = await tenant.post(f"/v1/runs/{run}/start", {"start_at": late})
        assert answer.status_code == 422
    scheduled = await tenant.post(f"/v1/runs/{run}/start", {"start_at": TOMORROW})
    assert (scheduled.status_code, scheduled.json()["state"]) == (202, "scheduled")
    said = await asked(tenant, database, "run.requested.v1")
    assert datetime.fromisoformat(said["start_at"]) == datetime.fromisoformat(TOMORROW)
    moved = await tenant.http.patch(
        f"/v1/runs/{run}", json={"start_at": None}, headers=tenant.headers
    )
    assert moved.status_code == 202
    wish = await asked(tenant, database, "run.edited.v1")
    assert wish["start_at"] is None
    in_force = outbound.RunPolicyChanged(
        run_id=run, step=1, control_id=wish["control_id"], policy=wish["policy"]
    )
    await hear(database, tenant.id, in_force)
    assert (await tenant.get(f"/v1/runs/{run}")).json()["start_at"] is None


async def test_any_order_of_what_outbound_says_gives_one_state(
    tenant: Tenant, database: Database
) -> None:
    states = set()
    for order in itertools.permutations(range(5)):
        run = await run_of(tenant)
        events: list[Event] = [
            outbound.RunStarted(run_id=run, total=2, rejects=0),
            outbound.RunPaused(run_id=run, step=1),
            outbound.RunResumed(run_id=run, step=2),
            cancelling(run, None, 3),
            outbound.RunCancelled(run_id=run, **COUNTS),
        ]
        await hear(database, tenant.id, *[events[n] for n in order[:-1]])
        unfinished = [events[n] for n in order[:-1] if n != 4]
        steps = [getattr(event, "step", 0) for event in unfinished]
        expected = ["running", "paused", "running", "cancelling"][max(steps)]
        seen = await state_of(tenant, run)
        assert seen == ("cancelled" if 4 in order[:-1] else expected), order
        await hear(database, tenant.id, events[order[-1]])
        states.add(await state_of(tenant, run))
    assert states == {"cancelled"}


NEVER = [
    {"weekdays": []},
    {"opens": "10:00", "closes": "10:00"},
    {"opens": "20:00", "closes": "08:00"},
]


@pytest.mark.parametrize("window", NEVER)
async def test_a_window_that_never_opens_is_refused(
    tenant: Tenant, run_id: str, window: dict[str, Any]
) -> None:
    drafted = await tenant.draft(
        await tenant.voice_channel(), {"all": True}, policy={"window": window}
    )
    edited = await tenant.http.patch(
        f"/v1/runs/{run_id}", json={"policy": {"window": window}}, headers=tenant.headers
    )
    for answer in (drafted, edited):
        assert answer.status_code == 422
        assert answer.json()["type"].endswith("window-never-opens")


async def test_settings_are_said_whole_with_a_growing_version(
    tenant: Tenant, database: Database
) -> None:
    async def change(**body: Any) -> httpx.Response:
        return await tenant.http.patch("/v1/business", json=body, headers=tenant.headers)

    assert (await change(time_zone="Mars/Olympus")).status_code == 422
    assert (await change(holidays=["2026-12-25", "2026-12-25"])).json()["holidays"] == [
        "2026-12-25"
    ]
    changed = await change(time_zone="Asia/Tokyo")
    assert (changed.json()["time_zone"], changed.json()["holidays"]) == (
        "Asia/Tokyo",
        ["2026-12-25"],
    )
    said = await facts(database, tenant.id, "business.settings_changed.v1")
    assert [fact["payload"]["version"] for fact in said] == [1, 2]
    assert said[-1]["payload"]["holidays"] == ["2026-12-25"]
