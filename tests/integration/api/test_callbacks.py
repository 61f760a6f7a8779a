"""What providers say: believed only when it is signed, kept once, said once."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
from tests.integration.api.attempts import Attempt
from tests.integration.api.conftest import (
    VERIFY_TOKEN,
    Tenant,
    facts,
    meta_body,
    meta_signature,
)

from trunkline_common.db import Database
from trunkline_common.ids import ATTEMPT, new_id

FORM = {"CallSid": "CA1", "CallStatus": "ringing", "SequenceNumber": "1", "Empty": "", "Who": "Zoë"}


@pytest.fixture
async def attempt(tenant: Tenant) -> Attempt:
    await tenant.post("/v1/contacts", {"phone": "0171 1234567"})
    channel = await tenant.voice_channel()
    content = {"script": 'Good day, "Tom" & <Co>', "language": "de-DE"}
    run = (await tenant.draft(channel, {"all": True}, content=content)).json()["id"]
    return Attempt(tenant.http, channel, run)


async def test_a_status_is_kept_and_said_once(
    attempt: Attempt, tenant: Tenant, database: Database
) -> None:
    for _ in range(3):
        answer = await attempt.say("status", FORM)
        assert answer.status_code == 204, answer.text
        assert answer.headers["x-correlation-id"] == "c-call"
    [fact] = await facts(database, tenant.id, "call.status_reported.v1")
    assert fact["correlation_id"] == "c-call"
    assert fact["payload"]["attempt_id"] == attempt.id
    assert fact["payload"]["sequence_number"] == 1

    await attempt.say("status", {**FORM, "CallStatus": "completed", "CallDuration": "7"})
    said = await facts(database, tenant.id, "call.status_reported.v1")
    assert [one["payload"]["status"] for one in said] == ["ringing", "completed"]


async def test_twiml_speaks_the_script(
    attempt: Attempt, tenant: Tenant, database: Database
) -> None:
    first = await attempt.say("twiml", {"CallSid": "CA1"})
    again = await attempt.say("twiml", {"CallSid": "CA1"})
    assert first.status_code == 200
    assert first.text == again.text
    [say] = list(ET.fromstring(first.text))  # noqa: S314  # our own answer
    assert (say.text, say.attrib) == ('Good day, "Tom" & <Co>', {"language": "de-DE"})
    assert len(await facts(database, tenant.id, "call.twiml_fetched.v1")) == 1


async def test_a_recording_is_said(attempt: Attempt, tenant: Tenant, database: Database) -> None:
    form = {"CallSid": "CA1", "RecordingSid": "RE1", "RecordingStatus": "completed",
            "RecordingDuration": "9", "RecordingChannels": "1"}  # fmt: skip
    assert (await attempt.say("recording", form)).status_code == 204
    [fact] = await facts(database, tenant.id, "recording.reported.v1")
    assert fact["payload"]["provider_recording_id"] == "RE1"
    assert fact["payload"]["duration"] == 9


async def test_what_is_not_proved_is_refused_alike(
    attempt: Attempt, tenant: Tenant, other: Tenant, database: Database
) -> None:
    elsewhere = Attempt(tenant.http, await other.voice_channel(), "run_of_another")
    other_run = Attempt(tenant.http, attempt.path.split("/")[3], "run_of_nobody")
    answers = [
        await attempt.say("status", FORM, auth_token="wrong"),
        await attempt.say("status", FORM, signed={**FORM, "CallStatus": "completed"}),
        await attempt.say("status", FORM, path=attempt.path[:-1] + "x"),
        await attempt.say("status", FORM, path=attempt.path.replace("att_", "att_0")),
        await Attempt(tenant.http, "chn_unknown", "run_x").say("status", FORM),
        await elsewhere.say("status", FORM, auth_token="token of the first"),
        await other_run.say("twiml", {"CallSid": "CA1"}),
        await tenant.http.post(f"{attempt.path}/status", json=FORM),
        await tenant.http.post(f"{attempt.path}/status"),
    ]
    assert [answer.status_code for answer in answers] == [403] * len(answers)
    bodies = [{**answer.json(), "correlation_id": ""} for answer in answers]
    assert all(body == bodies[0] for body in bodies)
    assert await facts(database, tenant.id, "call.status_reported.v1") == []


async def test_a_signed_callback_without_a_call_is_400(attempt: Attempt) -> None:
    answer = await attempt.say("status", {"CallStatus": "ringing"})
    assert answer.status_code == 400


async def test_a_changed_auth_token_holds_at_once(attempt: Attempt, tenant: Tenant) -> None:
    assert (await attempt.say("status", FORM)).status_code == 204
    channel = attempt.path.split("/")[3]
    change = {"credentials": {"auth_token": "rotated"}}
    await tenant.http.patch(f"/v1/channels/{channel}", json=change, headers=tenant.headers)
    assert (await attempt.say("status", FORM, auth_token="rotated")).status_code == 204
    assert (await attempt.say("status", FORM)).status_code == 403


async def test_meta_confirms_the_url(tenant: Tenant) -> None:
    path = f"/callbacks/meta/{await tenant.whatsapp_channel()}"
    query = {"hub.mode": "subscribe", "hub.verify_token": VERIFY_TOKEN, "hub.challenge": "4711"}
    answer = await tenant.http.get(path, params=query)
    assert (answer.status_code, answer.text) == (200, "4711")
    for wrong in ({"hub.verify_token": "x"}, {"hub.mode": "x"}, {"hub.verify_token": ""}):
        assert (await tenant.http.get(path, params={**query, **wrong})).status_code == 403
    voice = f"/callbacks/meta/{await tenant.voice_channel()}"
    empty = {**query, "hub.verify_token": ""}
    assert (await tenant.http.get(voice, params=empty)).status_code == 403


async def test_a_batch_of_meta_is_kept_element_by_element(
    tenant: Tenant, database: Database
) -> None:
    path = f"/callbacks/meta/{await tenant.whatsapp_channel()}"
    attempt = new_id(ATTEMPT)
    good = {"id": "wamid.1", "status": "sent", "timestamp": "1700000000",
            "biz_opaque_callback_data": attempt}  # fmt: skip
    body = meta_body(good, {"nonsense": "\x00\ud800"}, {**good, "status": "read"})
    for _ in range(2):
        answer = await tenant.http.post(path, content=body, headers=meta_signature(body))
        assert answer.status_code == 200, answer.text
    said = await facts(database, tenant.id, "message.status_reported.v1")
    assert sorted(fact["payload"]["status"] for fact in said) == ["read", "sent"]
    assert {fact["payload"]["attempt_id"] for fact in said} == {attempt}


async def test_meta_must_sign_the_bytes_as_they_come(tenant: Tenant) -> None:
    path = f"/callbacks/meta/{await tenant.whatsapp_channel()}"
    body = meta_body({"id": "wamid.1", "status": "sent"})
    for content, headers in (
        (body + b" ", meta_signature(body)),
        (body, meta_signature(body, "wrong")),
        (body, {}),
        (body, {"X-Hub-Signature-256": "sha1=abc"}),
    ):
        answer = await tenant.http.post(path, content=content, headers=headers)
        assert answer.status_code == 403
    unknown = await tenant.http.post(
        "/callbacks/meta/chn_unknown", content=body, headers=meta_signature(body)
    )
    assert unknown.status_code == 403
