"""Calls on the way in: the dialled number says whose they are; what is nobody's goes to nobody."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree as ET

import httpx
import pytest
from sqlalchemy import text
from tests.integration.api.conftest import (
    AUTH_TOKEN,
    PUBLIC_URL,
    TWILIO_ACCOUNT,
    Tenant,
    facts,
)
from twilio.request_validator import RequestValidator

from trunkline_api.inbound import show_quarantine
from trunkline_common.db import Database, transaction

NUMBER = "+15005550006"
SID = "CA" + "4" * 32
FORM = {
    "CallSid": SID,
    "AccountSid": TWILIO_ACCOUNT,
    "CallStatus": "ringing",
    "From": "+12025550177",
    "To": NUMBER,
    "Direction": "inbound",
}


class Line:
    """A channel's webhook, as Twilio asks it."""

    def __init__(self, tenant: Tenant, channel_id: str, path: str) -> None:
        self.tenant = tenant
        self.channel_id = channel_id
        self.path = path

    async def ask(
        self, what: str = "", *, auth_token: str = AUTH_TOKEN, path: str = "", **form: str
    ) -> httpx.Response:
        where, told = f"{path or self.path}{what}", FORM | form
        signature = RequestValidator(auth_token).compute_signature(PUBLIC_URL + where, told)
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Twilio-Signature": signature,
        }
        return await self.tenant.http.post(where, content=urlencode(told), headers=headers)

    async def say(self, content: dict[str, Any]) -> httpx.Response:
        where = f"/v1/channels/{self.channel_id}/inbound"
        return await self.tenant.http.put(where, json=content, headers=self.tenant.headers)


async def line_of(tenant: Tenant) -> Line:
    channel_id = await tenant.voice_channel()
    answer = await tenant.get(f"/v1/channels/{channel_id}/inbound")
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert told["status_url"] == told["voice_url"] + "/status"
    return Line(tenant, channel_id, told["voice_url"].removeprefix(PUBLIC_URL))


@pytest.fixture
async def line(tenant: Tenant) -> Line:
    return await line_of(tenant)


def spoken(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    root = ET.fromstring(answer.text)  # noqa: S314  # our own answer
    return [(verb.text or "").strip() or verb.tag for verb in root.iter() if verb is not root]


async def quarantined(database: Database) -> list[tuple[str, str | None, str | None]]:
    query = text("SELECT reason, from_number, to_number FROM quarantined_calls ORDER BY 1")
    async with transaction(database) as session:
        return [(r.reason, r.from_number, r.to_number) for r in await session.execute(query)]


async def test_a_call_is_known_by_the_dialled_number_and_told_a_polite_word(
    line: Line, tenant: Tenant, database: Database
) -> None:
    for _ in range(2):
        [said] = spoken(await line.ask())
        assert "Thank you" in said
    [fact] = await facts(database, tenant.id, "call.inbound_reported.v1")
    told = fact["payload"]
    assert (told["provider_call_id"], told["status"]) == (SID, "ringing")
    assert (told["from_number"], told["to_number"]) == ("+12025550177", NUMBER)
    assert told["channel_id"] == line.channel_id
    done = {"CallStatus": "completed", "CallDuration": "9", "SipResponseCode": "200"}
    assert (await line.ask("/status", **done)).status_code == 204
    [_, ended] = await facts(database, tenant.id, "call.inbound_reported.v1")
    assert (ended["payload"]["duration"], ended["payload"]["sip_code"]) == (9, "200")
    assert await quarantined(database) == []


async def test_a_number_that_is_not_the_channels_is_quarantined_and_given_to_nobody(
    line: Line, tenant: Tenant, other: Tenant, database: Database
) -> None:
    """Not even to the business that has this very number in a channel of its own."""
    theirs = await other.voice_channel()
    change = {"senders": ["+15005550999"]}
    await other.http.patch(f"/v1/channels/{theirs}", json=change, headers=other.headers)
    assert spoken(await line.ask(To="+15005550999")) == ["Reject"]
    assert (await line.ask("/status", To="+15005550999", CallStatus="busy")).status_code == 204
    assert spoken(await line.ask("/digits?step=0&turn=0", To="+15005550999")) == ["Reject"]
    assert await quarantined(database) == [("unknown_number", "+12025550177", "+15005550999")]
    for business in (tenant, other):
        assert await facts(database, business.id, "call.inbound_reported.v1") == []
        assert (await business.get("/v1/calls")).json()["data"] == []
    count = text("SELECT count(*) FROM provider_events")
    async with transaction(database) as session:
        assert (await session.execute(count)).scalar() == 0


async def test_another_account_of_the_same_token_is_quarantined(
    line: Line, database: Database
) -> None:
    assert spoken(await line.ask(AccountSid="AC" + "7" * 32)) == ["Reject"]
    assert [reason for reason, _, _ in await quarantined(database)] == ["foreign_account"]


async def test_the_operator_sees_what_is_in_quarantine(
    line: Line, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    await line.ask(To="+15005550999")
    assert await show_quarantine(database, 10) == 0
    printed = capsys.readouterr().out
    assert SID in printed
    assert "unknown_number" in printed
    assert "business" not in printed


async def test_a_number_that_was_added_a_moment_ago_is_the_channels(
    line: Line, tenant: Tenant, database: Database
) -> None:
    assert spoken(await line.ask(To="+15005550999")) == ["Reject"]
    change = text("UPDATE channels SET senders = '{+15005550999}', version = version + 1")
    async with transaction(database) as session:  # by another process, whose hint was lost
        await session.execute(change)
    assert spoken(await line.ask(To="+15005550999")) != ["Reject"]


async def test_what_is_not_proved_is_refused_alike(
    line: Line, other: Tenant, database: Database
) -> None:
    foreign = await line_of(other)
    answers = [
        await line.ask(auth_token="wrong"),
        await line.ask(path=line.path[:-1] + "x"),
        await line.ask(path=line.path.replace(line.channel_id, foreign.channel_id)),
        await line.ask("/status", auth_token="wrong"),
        await line.ask("/digits?step=0&turn=0", auth_token="wrong"),
        await line.tenant.http.post(line.path, json=FORM),
    ]
    assert [answer.status_code for answer in answers] == [403] * len(answers)
    bodies = [{**answer.json(), "correlation_id": ""} for answer in answers]
    assert all(body == bodies[0] for body in bodies)
    assert await quarantined(database) == []


GATHER = {
    "do": "gather",
    "prompt": [{"do": "say", "text": "Press 1 for an agent, 9 to be left alone"}],
    "actions": {
        "1": {"do": "connect", "to": "+12025550111", "say": "One moment"},
        "9": {"do": "opt_out", "say": "Done"},
    },
}


async def test_a_caller_hears_what_the_business_says(line: Line, tenant: Tenant) -> None:
    steps = [{"do": "say", "text": "Bakery, good day"}, GATHER]
    answer = await line.say({"steps": steps, "language": "en-GB"})
    assert answer.status_code == 200, answer.text
    said = spoken(await line.ask())
    assert said[0] == "Bakery, good day"
    assert "Press 1" in said[-1]
    connected = await line.ask("/digits?step=1&turn=0", Digits="1")
    assert spoken(connected)[-1] == "+12025550111"
    assert f'callerId="{NUMBER}"' in connected.text
    ended = await line.ask("/dialled?step=1&keys=1", DialCallStatus="completed")
    assert spoken(ended) == ["Hangup"]
    gone = await tenant.http.delete(
        f"/v1/channels/{line.channel_id}/inbound", headers=tenant.headers
    )
    assert gone.status_code == 204
    assert "Thank you" in spoken(await line.ask())[0]


async def test_a_caller_may_opt_out(line: Line, tenant: Tenant, database: Database) -> None:
    await line.say({"steps": [GATHER]})
    assert spoken(await line.ask("/digits?step=0&turn=0", Digits="9")) == ["Done", "Hangup"]
    [fact] = await facts(database, tenant.id, "contact.suppressed.v1")
    assert fact["payload"]["value"] == "+12025550177"
    withheld = await line.ask("/digits?step=0&turn=1", Digits="9", From="anonymous")
    assert spoken(withheld) == ["Done", "Hangup"]
    assert len(await facts(database, tenant.id, "contact.suppressed.v1")) == 1


@pytest.mark.parametrize(
    ("content", "pointer"),
    [
        ({}, "#/steps"),
        ({"script": "Hello {{first_name}}"}, "#/script"),
        ({"script": "Hello {{n}}", "variables": {"n": {}}}, "#/variables/n"),
        ({"steps": [{"do": "play", "media_id": "med_1"}]}, "#/steps/0/media_id"),
        ({"script": "x", "voicemail": [{"do": "say", "text": "x"}]}, "#/voicemail"),
    ],
    ids=["nothing", "undeclared", "no_default", "no_file", "voicemail"],
)
async def test_what_cannot_be_said_to_a_caller_is_refused(
    line: Line, content: dict[str, Any], pointer: str
) -> None:
    answer = await line.say(content)
    assert answer.status_code == 422, answer.text
    assert pointer in [error["pointer"] for error in answer.json()["errors"]]


async def test_a_foreign_or_written_channel_has_no_callers(
    line: Line, other: Tenant, tenant: Tenant
) -> None:
    written = await tenant.whatsapp_channel()
    for business, channel_id in ((other, line.channel_id), (tenant, written)):
        where, headers = f"/v1/channels/{channel_id}/inbound", business.headers
        said = {"script": "x"}
        answers = [
            await business.get(where),
            await business.http.put(where, json=said, headers=headers),
            await business.http.delete(where, headers=headers),
        ]
        assert [answer.status_code for answer in answers] == [404] * 3


async def test_a_leg_to_an_agent_is_told_with_its_parent(
    line: Line, tenant: Tenant, database: Database
) -> None:
    leg = {"CallSid": "CA" + "5" * 32, "ParentCallSid": SID, "CallStatus": "completed",
           "From": NUMBER, "To": "+12025550111", "CallDuration": "4"}  # fmt: skip
    assert (await line.ask("/leg", **leg)).status_code == 204
    [fact] = await facts(database, tenant.id, "call.inbound_reported.v1")
    assert (fact["payload"]["parent_call_id"], fact["payload"]["duration"]) == (SID, 4)
    assert (await line.ask("/leg", **{**leg, "From": "+15005550999"})).status_code == 204
    assert len(await quarantined(database)) == 1
    assert len(await facts(database, tenant.id, "call.inbound_reported.v1")) == 1


async def test_a_caller_hears_a_file_of_the_business_and_of_no_other(
    line: Line, tenant: Tenant, other: Tenant
) -> None:
    audio = b"ID3" + bytes(400)

    async def uploaded(business: Tenant) -> str:
        headers = business.headers | {"Content-Type": "audio/mpeg"}
        answer = await business.http.post("/v1/media", content=audio, headers=headers)
        return str(answer.json()["id"])

    theirs = await line.say({"steps": [{"do": "play", "media_id": await uploaded(other)}]})
    assert theirs.status_code == 422, theirs.text
    ours = await line.say({"steps": [{"do": "play", "media_id": await uploaded(tenant)}]})
    assert ours.status_code == 200, ours.text
    [address] = [said for said in spoken(await line.ask()) if said.startswith(PUBLIC_URL)]
    fetched = await tenant.http.get(address.removeprefix(PUBLIC_URL))
    assert (fetched.status_code, fetched.content) == (200, audio)
