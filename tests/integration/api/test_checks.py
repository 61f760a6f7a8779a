"""Bad input of runs: each kind has its own type, a draft tells all at once, a start the first."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from tests.integration.api.conftest import Tenant, facts
from tests.integration.api.test_projections import run_of

from trunkline_common.db import Database, transaction

PREFIX = "urn:trunkline:problem:"
YESTERDAY = (datetime.now(UTC) - timedelta(days=1)).isoformat()
TOMORROW = (datetime.now(UTC) + timedelta(days=1)).isoformat()
WINDOW = {"opens": "09:00:00", "closes": "20:00:00", "weekdays": [1, 2, 3, 4, 5, 6, 7]}


async def found(tenant: Tenant, run: str, **body: Any) -> dict[str, dict[str, Any]]:
    """What validating finds, by type; nothing of the run changes by it."""
    before = (await tenant.get(f"/v1/runs/{run}")).json()
    answer = await tenant.post(f"/v1/runs/{run}/validate", body or None)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert told["valid"] == (not any(one["blocks"] for one in told["problems"]))
    after = (await tenant.get(f"/v1/runs/{run}")).json()
    assert {**after, "read_at": None} == {**before, "read_at": None}
    return {one["type"].removeprefix(PREFIX): one for one in told["problems"]}


async def change(database: Database, sql: str, **values: object) -> None:
    """What only an older version could have left behind."""
    async with transaction(database) as session:
        await session.execute(text(sql), values)


async def contact(tenant: Tenant, phone: str = "0171 1234567") -> str:
    return str((await tenant.post("/v1/contacts", {"phone": phone})).json()["id"])


async def test_a_good_draft_is_valid_and_not_started(tenant: Tenant, database: Database) -> None:
    await contact(tenant)
    run = await run_of(tenant)
    assert await found(tenant, run) == {}
    assert await found(tenant, run, start_at=TOMORROW) == {}
    assert not await facts(database, tenant.id, "run.requested.v1")
    assert (await tenant.get(f"/v1/runs/{run}/controls")).json()["data"] == []


async def test_a_bad_draft_tells_everything_at_once(tenant: Tenant, database: Database) -> None:
    channel = await tenant.voice_channel()
    drafted = await tenant.draft(channel, {"all": True}, policy={"window": WINDOW})
    run = drafted.json()["id"]
    await tenant.http.patch(
        f"/v1/channels/{channel}", json={"enabled": False}, headers=tenant.headers
    )
    await change(
        database,
        "UPDATE runs SET policy = jsonb_set(policy, '{per_second}', '0') WHERE id = :r",
        r=run,
    )
    await change(
        database, "UPDATE businesses SET time_zone = 'Mars/Olympus' WHERE id = :b", b=tenant.id
    )
    problems = await found(tenant, run, start_at=YESTERDAY)
    places = {kind: one["errors"][0]["pointer"] for kind, one in problems.items()}
    assert places == {
        "channel-disabled": "#/channel_id",
        "empty-audience": "#/audience",
        "pace-zero": "#/policy/per_second",
        "unknown-zone": "business/time_zone",
        "start-in-past": "#/start_at",
    }
    assert all(one["blocks"] for one in problems.values())
    started = await tenant.post(f"/v1/runs/{run}/start")
    assert started.json()["type"].removeprefix(PREFIX) in problems
    assert not await facts(database, tenant.id, "run.requested.v1")


async def test_a_window_of_holidays_never_opens(tenant: Tenant) -> None:
    await contact(tenant)
    window = {**WINDOW, "weekdays": [1]}
    drafted = await tenant.draft(
        await tenant.voice_channel(), {"all": True}, policy={"window": window}
    )
    run = drafted.json()["id"]
    today = datetime.now(UTC).date()
    days = [today + timedelta(days=ahead) for ahead in range(-7, 410)]
    mondays = [day.isoformat() for day in days if day.isoweekday() == 1]

    async def off(holidays: list[str]) -> None:
        body = {"holidays": holidays}
        await tenant.http.patch("/v1/business", json=body, headers=tenant.headers)

    await off(mondays)
    assert set(await found(tenant, run)) == {"window-never-opens"}
    assert (await tenant.post(f"/v1/runs/{run}/start")).json()["type"].endswith("never-opens")
    far = max(date.fromisoformat(day) for day in mondays if day <= str(days[-11]))
    await off([day for day in mondays if day != far.isoformat()])
    assert await found(tenant, run) == {}


@pytest.mark.parametrize("kind", ["address", "contact", "prefix"])
@pytest.mark.parametrize("audience", ["all", "named"])
async def test_who_is_suppressed_is_told_and_does_not_block(
    tenant: Tenant, kind: str, audience: str
) -> None:
    ids = [await contact(tenant, f"0171 123456{number}") for number in range(3)]
    value = {"address": "+491711234561", "contact": ids[1], "prefix": "+491711234561"}[kind]
    chosen = {"all": True} if audience == "all" else {"contact_ids": ids[1:]}
    channel = await tenant.voice_channel()
    run = (await tenant.draft(channel, chosen)).json()["id"]
    elsewhere = (await tenant.draft(channel, {"contact_ids": ids[:1]})).json()["id"]
    of_other_run = {"kind": "contact", "value": ids[2], "run_id": elsewhere}
    of_messages = {"kind": "contact", "value": ids[2], "channel": "whatsapp"}
    for entry in ({"kind": kind, "value": value}, of_other_run, of_messages):
        assert (await tenant.post("/v1/suppressions", entry)).status_code in (200, 201)
    [problem] = (await found(tenant, run)).values()
    assert (problem["type"], problem["blocks"]) == (f"{PREFIX}suppressed-contacts", False)
    assert [error["detail"] for error in problem["errors"]] == [ids[1]]
    assert await found(tenant, elsewhere) == {}
    assert (await tenant.post(f"/v1/runs/{run}/start")).status_code == 202


async def test_a_contact_in_a_zone_of_no_name_is_told(tenant: Tenant, database: Database) -> None:
    lost = await contact(tenant)
    channel = await tenant.voice_channel()
    plain = (await tenant.draft(channel, {"all": True})).json()["id"]
    drafted = await tenant.draft(channel, {"all": True}, policy={"window": WINDOW})
    await change(database, "UPDATE contacts SET time_zone = 'Mars/Olympus' WHERE id = :c", c=lost)
    [problem] = (await found(tenant, drafted.json()["id"])).values()
    assert (problem["type"], problem["blocks"]) == (f"{PREFIX}unknown-zone", False)
    assert problem["errors"][0]["pointer"] == "#/audience"
    assert await found(tenant, plain) == {}  # nobody's zone is asked without a window


@pytest.mark.parametrize(
    ("policy", "kind", "pointer"),
    [
        ({"per_second": 0}, "pace-zero", "#/policy/per_second"),
        ({"per_second": 0.0}, "pace-zero", "#/policy/per_second"),
        ({"concurrent": 0}, "pace-zero", "#/policy/concurrent"),
        ({"per_second": -1}, "invalid-request", "#/policy/per_second"),
        ({"per_second": 0, "concurrent": "x"}, "invalid-request", "#/policy/per_second"),
        ({"window": {**WINDOW, "weekdays": []}}, "window-never-opens", "#/policy/window"),
    ],
    ids=str,
)
async def test_a_policy_that_cannot_be_kept_has_its_own_type(
    tenant: Tenant, policy: dict[str, Any], kind: str, pointer: str
) -> None:
    await contact(tenant)
    run = await run_of(tenant)
    drafted = await tenant.draft(await tenant.voice_channel(), {"all": True}, policy=policy)
    edited = await tenant.http.patch(
        f"/v1/runs/{run}", json={"policy": policy}, headers=tenant.headers
    )
    for answer in (drafted, edited):
        assert (answer.status_code, answer.json()["type"]) == (422, PREFIX + kind)
        assert answer.json()["errors"][0]["pointer"] == pointer


async def test_an_unknown_zone_has_its_own_type(tenant: Tenant) -> None:
    body = {"time_zone": "Mars/Olympus"}
    for answer in (
        await tenant.http.patch("/v1/business", json=body, headers=tenant.headers),
        await tenant.post("/v1/contacts", {"phone": "0171 1234567", **body}),
    ):
        assert (answer.status_code, answer.json()["type"]) == (422, f"{PREFIX}unknown-zone")
        assert answer.json()["errors"][0]["pointer"] == "#/time_zone"


async def test_only_drafts_of_ones_own_are_validated(tenant: Tenant, other: Tenant) -> None:
    await contact(tenant)
    run = await run_of(tenant)
    foreign = await other.post(f"/v1/runs/{run}/validate")
    assert (foreign.status_code, foreign.json()["type"]) == (404, f"{PREFIX}not-found")
    await tenant.post(f"/v1/runs/{run}/start")
    late = await tenant.post(f"/v1/runs/{run}/validate")
    assert (late.status_code, late.json()["type"]) == (409, f"{PREFIX}not-a-draft")
