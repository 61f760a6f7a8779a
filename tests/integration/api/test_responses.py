"""Keys that people press: acted upon before they are answered, once, and shown."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree as ET

import httpx
import pytest
from sqlalchemy import text
from tests.integration.api.attempts import Attempt
from tests.integration.api.conftest import PUBLIC_URL, Tenant, facts
from tests.integration.api.test_content import contact, said

from trunkline_common.db import Database, transaction

CALLED = "+491711234561"
ASKING: dict[str, Any] = {
    "variables": {"first_name": {}},
    "steps": [
        {
            "do": "gather",
            "prompt": [{"do": "say", "text": "{{first_name}}?"}],
            "actions": {
                "1": {"do": "confirm", "say": "Thank you {{first_name}}"},
                "2": {"do": "connect", "to": "+4930111222", "otherwise": "Nobody is there"},
                "9": {"do": "opt_out", "say": "Never again"},
            },
        },
        {"do": "say", "text": "The end"},
    ],
}


class Line:
    """A call that has asked its question."""

    def __init__(self, attempt: Attempt, contact_id: str) -> None:
        self.attempt, self.contact_id = attempt, contact_id
        self.form = {"CallSid": "CA1", "From": "+15005550006", "To": CALLED}

    async def opened(self) -> str:
        """Where the question wants its answer."""
        answer = await self.attempt.say("twiml", self.form, contact=self.contact_id)
        assert said(answer.text) == ["Ada?"]
        return attribute(answer.text, "Gather", "action")

    async def press(self, digits: str, **form: str) -> httpx.Response:
        pressed = {"Digits": digits} if digits else {}
        return await self.attempt.follow(await self.opened(), {**self.form, **pressed, **form})


def attribute(document: str, verb: str, name: str) -> str:
    found = ET.fromstring(document).find(f".//{verb}")  # noqa: S314  # our own answer
    assert found is not None
    return found.attrib[name]


@pytest.fixture
async def line(tenant: Tenant) -> Line:
    ada = await contact(tenant, CALLED, first_name="Ada")
    channel = await tenant.voice_channel()
    run = (await tenant.draft(channel, {"all": True}, content=ASKING)).json()["id"]
    return Line(Attempt(tenant.http, channel, run), ada)


def run_of(line: Line) -> str:
    return line.attempt.path.split("/")[4]


async def responses(tenant: Tenant, line: Line) -> Any:
    answer = await tenant.get(f"/v1/runs/{run_of(line)}/responses")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_an_opt_out_is_suppressed_when_it_is_answered(
    line: Line, tenant: Tenant, database: Database
) -> None:
    answer = await line.press("9")
    assert (answer.status_code, said(answer.text)) == (200, ["Never again"])
    [kept] = (await tenant.get("/v1/suppressions")).json()["data"]
    assert (kept["kind"], kept["value"], kept["run_id"], kept["channel"]) == (
        "address",
        CALLED,
        None,
        None,
    )
    assert (kept["source"], kept["suppressed_by"]) == ("voice_keypress", line.attempt.id)
    assert "CA1" in kept["evidence"]
    assert run_of(line) in kept["evidence"]
    [fact] = await facts(database, tenant.id, "contact.suppressed.v1")
    assert fact["payload"]["value"] == CALLED
    assert fact["correlation_id"] == "c-call"


async def test_what_is_told_again_is_one_response(
    line: Line, tenant: Tenant, database: Database
) -> None:
    async with asyncio.TaskGroup() as group:
        told = [group.create_task(line.press("9")) for _ in range(4)]
    assert len({task.result().text for task in told}) == 1
    assert len(await facts(database, tenant.id, "call.digits_reported.v1")) == 1
    assert len(await facts(database, tenant.id, "contact.suppressed.v1")) == 1
    assert (await responses(tenant, line))["counts"] == {"opt_out": 1}


async def test_a_lifted_opt_out_is_not_suppressed_again_by_a_repetition(
    line: Line, tenant: Tenant
) -> None:
    await line.press("9")
    [kept] = (await tenant.get("/v1/suppressions")).json()["data"]
    await tenant.http.delete(f"/v1/suppressions/{kept['id']}", headers=tenant.headers)
    assert (await line.press("9")).status_code == 200
    assert (await tenant.get("/v1/suppressions")).json()["data"] == []


async def test_a_confirmation_is_told_shown_and_answered(
    line: Line, tenant: Tenant, database: Database
) -> None:
    answer = await line.press("1")
    assert said(answer.text) == ["Thank you Ada", "The end"]
    [fact] = await facts(database, tenant.id, "call.digits_reported.v1")
    assert {**fact["payload"], "meaning": "confirm", "digits": "1", "step": 0, "turn": 0} == (
        fact["payload"]
    )
    assert fact["payload"]["attempt_id"] == line.attempt.id
    shown = await responses(tenant, line)
    assert shown["counts"] == {"confirm": 1}
    [one] = shown["data"]
    assert (one["contact_id"], one["digits"], one["meaning"]) == (line.contact_id, "1", "confirm")
    assert await facts(database, tenant.id, "contact.suppressed.v1") == []


async def test_silence_and_other_keys_are_responses_too(line: Line, tenant: Tenant) -> None:
    wrong = await line.press("5")
    assert said(wrong.text) == ["Ada?"]
    second = attribute(wrong.text, "Gather", "action")
    assert parse_qs(urlsplit(second).query)["turn"] == ["1"]
    silent = await line.attempt.follow(second, line.form)
    assert said(silent.text) == ["The end"]
    shown = await responses(tenant, line)
    assert shown["counts"] == {"repeat": 1, "no_input": 1}
    assert [(one["turn"], one["digits"]) for one in shown["data"]] == [(1, ""), (0, "5")]


async def test_an_agent_is_dialled_and_its_leg_ends_no_call(
    line: Line, tenant: Tenant, database: Database
) -> None:
    answer = await line.press("2")
    assert attribute(answer.text, "Dial", "callerId") == "+15005550006"
    leg = {"CallSid": "CA2", "ParentCallSid": "CA1", "CallStatus": "completed", "To": "+4930111222",
           "CallDuration": "5"}  # fmt: skip
    report = attribute(answer.text, "Number", "statusCallback")
    assert (await line.attempt.follow(report, leg)).status_code == 204
    assert (await line.attempt.say("status", leg)).status_code == 204
    assert await facts(database, tenant.id, "call.status_reported.v1") == []
    told = [f["payload"] for f in await facts(database, tenant.id, "call.leg_reported.v1")]
    assert [(one["provider_call_id"], one["leg_id"], one["status"]) for one in told] == [
        ("CA1", "CA2", "completed")
    ]
    ended = attribute(answer.text, "Dial", "action")
    away = await line.attempt.follow(ended, {**line.form, "DialCallStatus": "no-answer"})
    assert said(away.text) == ["Nobody is there"]
    done = await line.attempt.follow(ended, {**line.form, "DialCallStatus": "completed"})
    assert said(done.text) == []


@pytest.mark.parametrize(
    ("change", "status"),
    [
        pytest.param(("step=0", "step=1"), 403, id="a step that asks nothing"),
        pytest.param(("step=0", "step=9"), 403, id="no such step"),
        pytest.param(("/digits", "/dialled"), 403, id="keys that connect nobody"),
        pytest.param(("/att_", "/att_0"), 403, id="another attempt"),
        pytest.param(("step=0", "step=x"), 422, id="no number"),
    ],
)
async def test_a_place_that_asked_nothing_takes_no_answer(
    line: Line, tenant: Tenant, database: Database, change: tuple[str, str], status: int
) -> None:
    address = (await line.opened()).replace(*change)
    answer = await line.attempt.follow(address, {**line.form, "Digits": "9"})
    assert answer.status_code == status
    assert await facts(database, tenant.id, "contact.suppressed.v1") == []


async def test_digits_must_be_signed(line: Line, tenant: Tenant) -> None:
    address = await line.opened()
    form = {**line.form, "Digits": "9"}
    forged = await line.attempt.follow(address, form, signed={**form, "Digits": "1"})
    assert forged.status_code == 403
    stranger = await line.attempt.follow(address, form, auth_token="wrong")
    assert stranger.status_code == 403
    assert (await tenant.get("/v1/suppressions")).json()["data"] == []


@pytest.mark.parametrize(
    "form", [{"Digits": "9" * 17}, {"Digits": "A"}, {"To": "client:agent"}, {"CallSid": "a b"}]
)
async def test_what_no_call_brings_is_refused(line: Line, form: dict[str, str]) -> None:
    assert (await line.press("9", **form)).status_code == 400


async def test_what_is_kept_word_for_word_is_what_came(
    line: Line, tenant: Tenant, database: Database
) -> None:
    await line.press("1")
    async with transaction(database) as session:
        rows = await session.execute(
            text("SELECT body FROM provider_events WHERE kind = 'digits' AND business_id = :b"),
            {"b": tenant.id},
        )
        [body] = rows.scalars()
    assert parse_qs(body)["Digits"] == ["1"]


async def test_another_business_sees_no_responses(
    line: Line, tenant: Tenant, other: Tenant
) -> None:
    await line.press("1")
    assert (await other.get(f"/v1/runs/{run_of(line)}/responses")).status_code == 404
    first = (await tenant.get(f"/v1/runs/{run_of(line)}/responses", params={"limit": 1})).json()
    assert (len(first["data"]), first["has_more"]) == (1, False)


async def test_addresses_of_the_conversation_are_our_own(line: Line) -> None:
    address = urlsplit(await line.opened())
    assert f"{address.scheme}://{address.netloc}" == PUBLIC_URL
    assert set(parse_qs(address.query)) == {"cid", "tp", "contact", "proof", "step", "turn"}
