"""What a run says: refused where nobody could say it, and said to each contact by name."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

import pytest
from sqlalchemy import text
from tests.integration.api.attempts import Attempt
from tests.integration.api.conftest import Tenant, facts

from trunkline_api import contents, feeds
from trunkline_common.contracts.api import RunContent
from trunkline_common.db import Database, transaction

GREETING: dict[str, Any] = {
    "language": "de-DE",
    "variables": {"first_name": {}, "city": {"default": "Berlin"}},
    "steps": [{"do": "say", "text": "Hallo {{first_name}} in {{city}}"}],
    "voicemail": [{"do": "say", "text": "Eine Nachricht für {{first_name}}"}],
}
TYPE = "urn:trunkline:problem:"


async def contact(tenant: Tenant, phone: str, **more: Any) -> str:
    answer = await tenant.post("/v1/contacts", {"phone": phone, **more})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def said(document: str) -> list[str]:
    return [say.text or "" for say in ET.fromstring(document).iter("Say")]  # noqa: S314


async def test_steps_are_kept_as_they_were_asked_for(tenant: Tenant) -> None:
    answer = await tenant.draft(await tenant.voice_channel(), {"all": True}, content=GREETING)
    assert answer.status_code == 201, answer.text
    assert answer.json()["content"] == GREETING


@pytest.mark.parametrize(
    ("content", "pointers"),
    [
        pytest.param(
            {**GREETING, "variables": {"city": {}}},
            ["#/content/steps/0/text", "#/content/voicemail/0/text"],
            id="steps and voicemail",
        ),
        pytest.param({"script": "Hi {{a}}"}, ["#/content/script"], id="script"),
        pytest.param({"script": "Hi", "text": "{{b}}"}, ["#/content/text"], id="text"),
    ],
)
async def test_an_undeclared_gap_is_refused_with_its_place(
    tenant: Tenant, content: dict[str, Any], pointers: list[str]
) -> None:
    answer = await tenant.draft(await tenant.voice_channel(), {"all": True}, content=content)
    assert (answer.status_code, answer.json()["type"]) == (422, TYPE + "undeclared-variables")
    assert [fault["pointer"] for fault in answer.json()["errors"]] == pointers


@pytest.mark.parametrize(
    "content",
    [
        pytest.param({"language": "de-DE"}, id="nothing"),
        pytest.param({"text": "for a message"}, id="only a text"),
        pytest.param({"script": "a", "steps": GREETING["steps"]}, id="both"),
        pytest.param({"script": "{{ first name }}"}, id="not a name"),
        pytest.param({"script": "bell \x07"}, id="a control character"),
    ],
)
async def test_what_cannot_be_said_is_refused(tenant: Tenant, content: dict[str, Any]) -> None:
    answer = await tenant.draft(await tenant.voice_channel(), {"all": True}, content=content)
    assert (answer.status_code, answer.json()["type"]) == (422, TYPE + "invalid-request")


@pytest.mark.parametrize("everybody", [True, False], ids=["all", "contacts"])
async def test_a_start_tells_who_lacks_a_variable_and_starts_nothing(
    tenant: Tenant, database: Database, everybody: bool
) -> None:
    ada = await contact(tenant, "0171 1234561", first_name="Ada")
    nameless = await contact(tenant, "0171 1234562")
    empty = await contact(tenant, "0171 1234563", variables={"first_name": "", "city": "Ulm"})
    own = await contact(tenant, "0171 1234564", variables={"first_name": "Bo"})
    audience = {"all": True} if everybody else {"contact_ids": [ada, nameless, empty, own]}
    drafted = await tenant.draft(await tenant.voice_channel(), audience, content=GREETING)
    run = drafted.json()["id"]

    refused = await tenant.post(f"/v1/runs/{run}/start")

    problem = refused.json()
    assert (refused.status_code, problem["type"]) == (422, TYPE + "missing-variables")
    assert problem["total"] == 2
    assert {fault["contact_id"]: fault["missing"] for fault in problem["errors"]} == {
        nameless: ["first_name"],
        empty: ["first_name"],
    }
    checked = (await tenant.post(f"/v1/runs/{run}/validate")).json()
    assert not checked["valid"]
    [same] = [one for one in checked["problems"] if one["type"] == TYPE + "missing-variables"]
    assert (same["detail"], same["blocks"]) == (problem["detail"], True)
    assert (await tenant.get(f"/v1/runs/{run}")).json()["state"] == "draft"
    assert await facts(database, tenant.id, "run.requested.v1") == []
    assert not await feeds.feed_next(database)


async def test_nobody_is_added_who_lacks_a_variable(tenant: Tenant, database: Database) -> None:
    await contact(tenant, "0171 1234561", first_name="Ada")
    drafted = await tenant.draft(await tenant.voice_channel(), {"all": True}, content=GREETING)
    run = drafted.json()["id"]
    assert (await tenant.post(f"/v1/runs/{run}/start")).status_code == 202
    nameless = await contact(tenant, "0171 1234562")
    refused = await tenant.post(f"/v1/runs/{run}/contacts", {"contact_ids": [nameless]})
    assert (refused.status_code, refused.json()["type"]) == (422, TYPE + "missing-variables")
    assert [one["contact_id"] for one in refused.json()["errors"]] == [nameless]
    controls = (await tenant.get(f"/v1/runs/{run}/controls")).json()["data"]
    assert [one["control"] for one in controls] == ["start"]


async def test_a_list_of_those_who_lack_is_bounded_and_counted(tenant: Tenant) -> None:
    rows = "".join(f"+4917112340{at:02},{'Ada' if at < 10 else ''}\n" for at in range(100))
    more = "".join(f"+4917112341{at:02},\n" for at in range(40))
    imported = await tenant.upload(f"phone,first name\n{rows}{more}".encode())
    audience = {"import_id": imported.json()["id"]}
    drafted = await tenant.draft(await tenant.voice_channel(), audience, content=GREETING)
    problem = (await tenant.post(f"/v1/runs/{drafted.json()['id']}/start")).json()
    assert problem["total"] == 130
    assert len(problem["errors"]) == contents.MOST_SHOWN
    assert [fault["position"] for fault in problem["errors"][:2]] == [11, 12]


async def test_another_business_brings_no_values_and_lacks_none(
    tenant: Tenant, other: Tenant
) -> None:
    await contact(tenant, "0171 1234561", first_name="Ada")
    await contact(other, "0171 1234562")
    drafted = await tenant.draft(await tenant.voice_channel(), {"all": True}, content=GREETING)
    started = await tenant.post(f"/v1/runs/{drafted.json()['id']}/start")
    assert started.status_code == 202, started.text


async def test_others_are_told_what_they_need_of_it(tenant: Tenant, database: Database) -> None:
    await contact(tenant, "0171 1234561", first_name="Ada")
    drafted = await tenant.draft(await tenant.voice_channel(), {"all": True}, content=GREETING)
    await tenant.post(f"/v1/runs/{drafted.json()['id']}/start")
    [fact] = await facts(database, tenant.id, "run.requested.v1")
    told = RunContent.model_validate(fact["payload"]["content"])
    assert told.leaves_voicemail
    assert {name: one.default for name, one in told.variables.items()} == {
        "first_name": None,
        "city": "Berlin",
    }
    assert "steps" not in fact["payload"]["content"]


async def greeted(tenant: Tenant, content: dict[str, Any] = GREETING) -> tuple[Attempt, str]:
    """A call to Ada that is answered."""
    ada = await contact(tenant, "0171 1234561", first_name="Ada & <Co>")
    channel = await tenant.voice_channel()
    run = (await tenant.draft(channel, {"all": True}, content=content)).json()["id"]
    return Attempt(tenant.http, channel, run), ada


async def test_a_person_is_spoken_to_by_name(tenant: Tenant) -> None:
    attempt, ada = await greeted(tenant)
    answer = await attempt.say("twiml", {"CallSid": "CA1", "AnsweredBy": "human"}, contact=ada)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/xml; charset=utf-8")
    assert said(answer.text) == ["Hallo Ada & <Co> in Berlin"]


@pytest.mark.parametrize("answered_by", ["machine_end_beep", "machine_end_silence", "fax"])
async def test_a_machine_is_left_the_message(tenant: Tenant, answered_by: str) -> None:
    attempt, ada = await greeted(tenant)
    form = {"CallSid": "CA1", "AnsweredBy": answered_by}
    answer = await attempt.say("twiml", form, contact=ada)
    assert said(answer.text) == ["Eine Nachricht für Ada & <Co>"]


async def test_without_a_message_a_machine_is_hung_up_on(tenant: Tenant) -> None:
    content = {"script": "Only for people"}
    attempt, ada = await greeted(tenant, content)
    form = {"CallSid": "CA1", "AnsweredBy": "machine_start"}
    answer = await attempt.say("twiml", form, contact=ada)
    assert [verb.tag for verb in ET.fromstring(answer.text)] == ["Hangup"]  # noqa: S314


async def test_only_whom_outbound_named_is_spoken_of(tenant: Tenant, other: Tenant) -> None:
    attempt, ada = await greeted(tenant)
    stranger = await contact(other, "0171 1234562", first_name="Eve")
    form = {"CallSid": "CA1"}
    for unproved in (
        await attempt.say("twiml", form, contact=ada, proof="0" * 32),
        await attempt.say("twiml", form, contact=ada, proof=""),
        await attempt.say("twiml", form, contact=stranger),
        await attempt.say("twiml", form),
    ):
        assert unproved.status_code == 200
        assert said(unproved.text) == ["Hallo  in Berlin"]


async def test_a_script_of_before_the_rules_is_spoken_as_it_was_written(
    tenant: Tenant, database: Database
) -> None:
    attempt, ada = await greeted(tenant, {"script": "x"})
    async with transaction(database) as session:
        await session.execute(
            text("UPDATE runs SET content = jsonb_build_object('script', '{{ old }} {%\x0b')")
        )
    answer = await attempt.say("twiml", {"CallSid": "CA1"}, contact=ada)
    assert said(answer.text) == ["{{ old }} {% "]
