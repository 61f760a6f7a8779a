"""What a run is asked for in odd ways: refused with its place, or kept so that it can be obeyed."""

from __future__ import annotations

from typing import Any

import pytest
from tests.integration.api.attempts import Attempt
from tests.integration.api.conftest import Tenant, facts

from trunkline_common.db import Database

TOO_LATE = "9999-12-31T23:59:59-10:00"  # no calendar has the day in UTC


async def drafted(tenant: Tenant, **more: Any) -> str:
    contact = (await tenant.post("/v1/contacts", {"phone": "0171 1234567"})).json()["id"]
    made = await tenant.draft(await tenant.voice_channel(), {"contact_ids": [contact]}, **more)
    assert made.status_code == 201, made.text
    return str(made.json()["id"])


async def edit(tenant: Tenant, run_id: str, body: object) -> Any:
    return await tenant.http.patch(f"/v1/runs/{run_id}", json=body, headers=tenant.headers)


@pytest.mark.parametrize(
    "window",
    [
        {"opens": "09:00:00+05:00"},
        {"opens": "09:00Z", "closes": "20:00Z"},
        {"opens": 0},
        {"opens": "09:00", "closes": "20:00-03:00"},
    ],
    ids=["one with a zone", "both in UTC", "seconds", "the end with a zone"],
)
async def test_a_window_is_on_the_contacts_own_wall_clock(
    tenant: Tenant, window: dict[str, Any]
) -> None:
    """With a zone of its own no contact's clock can be held against it: the run would never go."""
    run = await drafted(tenant)
    made = await tenant.draft(
        await tenant.voice_channel(), {"all": True}, policy={"window": window}
    )
    for answer in (made, await edit(tenant, run, {"policy": {"window": window}})):
        assert answer.status_code == 422, answer.text
        assert {e["pointer"] for e in answer.json()["errors"]} <= {
            "#/policy/window/opens",
            "#/policy/window/closes",
        }


async def test_a_start_on_no_calendar_is_refused(tenant: Tenant) -> None:
    run = await drafted(tenant)
    late = {"start_at": TOO_LATE}
    for answer in (
        await tenant.post(f"/v1/runs/{run}/start", late),
        await tenant.post(f"/v1/runs/{run}/validate", late),
        await edit(tenant, run, late),
        await tenant.post(f"/v1/runs/{run}/reruns", {"key": "k", "outcomes": ["busy"], **late}),
    ):
        assert answer.status_code == 422, answer.text
        assert [e["pointer"] for e in answer.json()["errors"]] == ["#/start_at"]


@pytest.mark.parametrize("is_started", [False, True])
async def test_what_an_edit_names_in_part_has_its_defaults(
    tenant: Tenant, database: Database, is_started: bool
) -> None:
    run = await drafted(tenant)
    if is_started:
        await tenant.post(f"/v1/runs/{run}/start")
    policy = {"auto_pause": {"minimum": 5}, "window": {"weekdays": [1, 2]}}
    edited = await edit(tenant, run, {"policy": policy})
    assert edited.status_code in (200, 202), edited.text
    asked = edited.json()["asked"]["policy"]
    assert asked["auto_pause"] == {"share": 0.5, "minimum": 5, "outcomes": ["failed"]}
    assert asked["window"] == {"opens": "09:00:00", "closes": "20:00:00", "weekdays": [1, 2]}
    if not is_started:
        assert (await tenant.post(f"/v1/runs/{run}/validate")).json()["valid"]
        assert (await tenant.post(f"/v1/runs/{run}/start")).status_code == 202
        [told] = await facts(database, tenant.id, "run.requested.v1")
        assert told["payload"]["policy"]["auto_pause"] == asked["auto_pause"]


@pytest.mark.parametrize("number", ["\x00", "9" * 5000, "one"], ids=["NUL", "huge", "a word"])
async def test_a_sequence_that_is_no_number_is_none(
    tenant: Tenant, database: Database, number: str
) -> None:
    channel = await tenant.voice_channel()
    attempt = Attempt(tenant.http, channel, await drafted(tenant))
    form = {"CallSid": "CA1", "CallStatus": "ringing", "SequenceNumber": number}
    assert (await attempt.say("status", form)).status_code == 204
    leg = {**form, "ParentCallSid": "CA2"}
    assert (await attempt.say("status", leg)).status_code == 204
    url = (await tenant.get(f"/v1/channels/{channel}/inbound")).json()["status_url"]
    inbound = {**form, "To": "+15005550006", "From": "+491711234567"}
    assert (await attempt.follow(url, inbound)).status_code == 204
    [told] = await facts(database, tenant.id, "call.status_reported.v1")
    assert told["payload"]["sequence_number"] is None


@pytest.mark.parametrize("letter", ["\x01", "\U0001f4de"], ids=["a control character", "an emoji"])
async def test_content_that_no_fact_can_hold_is_refused(tenant: Tenant, letter: str) -> None:
    """Others are told of it when the run starts: what is too long for that could never start."""
    variables = {f"v{n}": {"default": letter * 500} for n in range(50)}
    content = {"script": "\U0001f4de" * 4000, "text": "\U0001f4de" * 4000, "variables": variables}
    made = await tenant.draft(await tenant.voice_channel(), {"all": True}, content=content)
    assert made.status_code == 422, made.text
    assert [e["pointer"] for e in made.json()["errors"]] == ["#/content"]


async def test_the_longest_content_starts(tenant: Tenant) -> None:
    variables = {f"v{n}": {"default": "\U0001f4de" * 100} for n in range(50)}
    content = {"script": "\U0001f4de" * 4000, "text": "\U0001f4de" * 4000, "variables": variables}
    run = await drafted(tenant, content=content)
    assert (await tenant.post(f"/v1/runs/{run}/start")).status_code == 202
