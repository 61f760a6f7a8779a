"""What a run says reaches each contact: by name in messages, by proof in calls."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.integration.outbound.scene import FakeVoice, Scene
from tests.integration.outbound.test_dispatch import running, until_states

from trunkline_common.callbacks import verify
from trunkline_common.contracts.api import (
    AudienceContact,
    RunAudienceAdded,
    RunAudienceClosed,
    RunContent,
)
from trunkline_common.db import Database
from trunkline_common.ids import RUN, new_id
from trunkline_outbound.gateways.voice import CallOrder

TEXT = "Hello {{first_name}}, {{city}} {{ code }}"
VARIABLES: dict[str, Any] = {"first_name": {}, "city": {"default": "Berlin"}, "code": {}}


async def start(
    scene: Scene, content: RunContent, *variables: dict[str, str], **policy: Any
) -> str:
    run_id = new_id(RUN)
    asked = scene.requested(run_id, **policy).model_copy(update={"content": content})
    contacts = tuple(
        AudienceContact(contact_id=f"con_{at}", address=f"+120255500000{at}", variables=values)
        for at, values in enumerate(variables)
    )
    await scene.hear(asked)
    await scene.hear(RunAudienceAdded(run_id=run_id, chunk=1, contacts=contacts))
    await scene.hear(RunAudienceClosed(run_id=run_id, chunks=1, contacts=len(contacts)))
    return run_id


async def test_each_message_says_what_its_contact_brought(outbound_database: Database) -> None:
    scene = Scene(outbound_database, kind="whatsapp", account="1234567890")
    await scene.open_channel()
    run_id = await start(
        scene,
        RunContent.model_validate({"text": TEXT, "variables": VARIABLES}),
        {"first_name": "Ada", "city": "Ulm", "code": "{{city}}"},
        {"first_name": "Bo", "city": "", "other": "x"},
        {},
    )
    async with running(scene.dispatcher(FakeVoice())):
        await until_states(scene, run_id, {"accepted": 3})
    rows = await scene.rows("SELECT payload FROM outbox WHERE name = 'run.message_due.v1'")
    due = [json.loads(str(row[0])) for row in rows]
    assert {fact["contact_id"]: fact["text"] for fact in due} == {
        "con_0": "Hello Ada, Ulm {{city}}",
        "con_1": "Hello Bo, Berlin ",
        "con_2": "Hello , Berlin ",
    }


async def test_a_text_without_variables_is_sent_as_it_is(outbound_database: Database) -> None:
    scene = Scene(outbound_database, kind="whatsapp", account="1234567890")
    await scene.open_channel()
    run_id = await start(scene, RunContent(text=TEXT), {"first_name": "Ada"})
    async with running(scene.dispatcher(FakeVoice())):
        await until_states(scene, run_id, {"accepted": 1})
    fact = await scene.value("SELECT payload FROM outbox WHERE name = 'run.message_due.v1'")
    assert json.loads(str(fact))["text"] == TEXT


async def placed(database: Database, content: RunContent, **policy: Any) -> CallOrder:
    scene, voice = Scene(database), FakeVoice()
    await scene.open_channel()
    run_id = await start(scene, content, {}, **policy)
    async with running(scene.dispatcher(voice)):
        await until_states(scene, run_id, {"accepted": 1})
    return voice.accepted[0]


async def test_a_call_proves_whom_it_is_for(outbound_database: Database) -> None:
    order = await placed(outbound_database, RunContent(script="hello"))
    attempt_id = urlsplit(order.script_url).path.split("/")[5]
    query = {name: value for name, [value] in parse_qs(urlsplit(order.script_url).query).items()}
    assert query["contact"] == "con_0"
    assert verify("secret", query["proof"], attempt_id, "con_0")
    assert not verify("secret", query["proof"], attempt_id, "con_1")
    assert "contact" not in order.status_url


@pytest.mark.parametrize(
    ("voicemail", "detects", "detection"),
    [
        pytest.param(False, False, None, id="nobody asked"),
        pytest.param(False, True, "Enable", id="as soon as it is known"),
        pytest.param(True, False, "DetectMessageEnd", id="for the message"),
        pytest.param(True, True, "DetectMessageEnd", id="for the message, asked"),
    ],
)
async def test_detection_is_asked_for_as_the_content_needs_it(
    outbound_database: Database, voicemail: bool, detects: bool, detection: str | None
) -> None:
    content = RunContent(script="hello", leaves_voicemail=voicemail)
    order = await placed(outbound_database, content, detect_machines=detects, detection_timeout=12)
    assert (order.machine_detection, order.detection_timeout) == (detection, 12)
