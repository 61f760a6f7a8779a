"""Every answer of the sandbox holds against Twilio's own API description."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest
from tests.contracts.providers.callers import FROM, Caller
from tests.contracts.providers.spec_check import Spec

TOKEN = "an auth token"


@pytest.fixture
def twilio(sandbox_url: str, twilio_spec: Spec) -> Iterator[Caller]:
    sid = f"AC{uuid4().hex}"
    with httpx.Client(base_url=sandbox_url, auth=(sid, TOKEN), trust_env=False) as client:
        account = {"account_sid": sid, "auth_token": TOKEN, "numbers": [FROM]}
        client.post("/sandbox/twilio/accounts", json=account).raise_for_status()
        yield Caller(twilio_spec, client, sid)


def test_a_created_call_is_queued(twilio: Caller) -> None:
    answer = twilio.rightly(twilio.create(Record="true", Timeout="30"))
    assert answer.status_code == 201
    assert answer.json()["status"] == "queued"


def test_a_call_and_its_recording_through_their_life(twilio: Caller) -> None:
    call = twilio.create(Record="true", RecordingChannels="dual").json()
    path = f"{twilio.root}/Calls/{call['sid']}"
    ended = twilio.settled(f"{path}.json", "completed")
    assert int(ended["duration"]) > 0
    of_call = twilio.rightly(twilio.ask("GET", f"{path}/Recordings.json")).json()["recordings"]
    assert [each["call_sid"] for each in of_call] == [call["sid"]]
    one = f"{twilio.root}/Recordings/{of_call[0]['sid']}.json"
    recording = twilio.settled(one, "completed")
    assert recording["duration"] == ended["duration"]
    listed = twilio.ask("GET", f"{twilio.root}/Recordings.json").json()["recordings"]
    assert [each["sid"] for each in listed] == [recording["sid"]]
    assert twilio.ask("DELETE", one).status_code == 204
    assert twilio.ask("GET", one).json()["code"] == 20404


def test_the_audio_is_as_long_as_it_is_said_to_be(twilio: Caller) -> None:
    call = twilio.create(Record="true").json()
    twilio.settled(f"{twilio.root}/Calls/{call['sid']}.json", "completed")
    path = f"{twilio.root}/Calls/{call['sid']}/Recordings.json"
    sid = twilio.ask("GET", path).json()["recordings"][0]["sid"]
    one = f"{twilio.root}/Recordings/{sid}"
    recording = twilio.settled(f"{one}.json", "completed")
    assert urlsplit(recording["media_url"]).path == one
    wav = twilio.client.get(f"{one}.wav")
    assert wav.content[:4] == b"RIFF"
    assert len(wav.content) == 44 + 8000 * int(recording["duration"])
    assert int(wav.headers["content-length"]) == len(wav.content)
    assert twilio.client.get(one).content == wav.content
    assert twilio.client.get(f"{one}.mp3").content[:3] == b"ID3"
    assert twilio.client.get(f"{one}.wav", auth=("AC", "wrong")).status_code == 401


def test_lists_filter_and_page_newest_first(twilio: Caller) -> None:
    to = f"+49171{uuid4().int % 10**7:07}"
    sids = [twilio.create(To=to).json()["sid"] for _ in range(5)]
    twilio.create()
    path = f"{twilio.root}/Calls.json?To=%2B{to[1:]}&PageSize=2"
    seen: list[str] = []
    while path:
        page = twilio.rightly(twilio.ask("GET", path)).json()
        seen += [call["sid"] for call in page["calls"]]
        path = page["next_page_uri"]
    assert seen == sids[::-1]
    today = datetime.now(UTC).date().isoformat()
    for query, count in (
        ("Status=canceled", 0),
        ("From=%2B14155550100&PageSize=1000", 6),
        ("StartTime%3C=2020-01-01", 0),
        (f"StartTime%3E={today}&Status=no-answer", 0),
    ):
        found = twilio.rightly(twilio.ask("GET", f"{twilio.root}/Calls.json?{query}")).json()
        assert len(found["calls"]) == count, query


def test_an_ended_call_cannot_be_changed(twilio: Caller) -> None:
    path = f"{twilio.root}/Calls/{twilio.create().json()['sid']}.json"
    assert twilio.ask("POST", path, form={"Status": "canceled"}).json()["status"] == "canceled"
    assert twilio.ask("POST", path, form={"Status": "completed"}).json()["code"] == 21220


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"To": None}, 21201),
        ({"To": "12"}, 21211),
        ({"To": "+15005550001"}, 21211),
        ({"To": "+15005550003"}, 21215),
        ({"From": None}, 21213),
        ({"From": "Trunkline"}, 21212),
        ({"From": "+14155550199"}, 21210),
        ({"Twiml": None}, 21205),
        ({"Url": "ftp://example.com/x"}, 21205),
        ({"Url": "http://under_score.example/x"}, 21205),
        ({"Method": "PATCH"}, 21209),
        ({"StatusCallback": "nowhere"}, 21609),
        ({"StatusCallbackEvent": "hungup"}, 21626),
        ({"Timeout": "soon"}, 21208),
    ],
)
def test_a_wrong_create_request_is_refused(
    twilio: Caller, changes: dict[str, str | None], code: int
) -> None:
    answer = twilio.create(**changes)
    assert (answer.status_code, answer.json()["code"]) == (400, code)


def test_a_form_of_another_type_has_no_fields(twilio: Caller) -> None:
    answer = twilio.ask("POST", f"{twilio.root}/Calls.json", message={"To": "+491701234567"})
    assert answer.json()["code"] == 21201


def test_strangers_and_unknown_things(twilio: Caller) -> None:
    unknown = twilio.ask("GET", f"{twilio.root}/Calls/CA{uuid4().hex}.json")
    assert (unknown.status_code, unknown.json()["code"]) == (404, 20404)
    twilio.client.auth = httpx.BasicAuth(twilio.account, "another token")
    stranger = twilio.create()
    assert (stranger.status_code, stranger.json()["code"]) == (401, 20003)


@pytest.mark.parametrize(
    ("order", "status", "code"),
    [
        ({"kind": "rate_limit", "retry_after": 7}, 429, 20429),
        ({"kind": "error_before_accept"}, 500, 20500),
        ({"kind": "error_after_accept"}, 500, 20500),
        ({"kind": "reject", "code": 21216}, 400, 21216),
    ],
)
def test_ordered_errors_of_twilio(
    twilio: Caller, order: dict[str, Any], status: int, code: int
) -> None:
    order = {**order, "account": twilio.account, "times": 1}
    twilio.client.post("/sandbox/faults", json=order).raise_for_status()
    answer = twilio.create()
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    if status == 429:
        assert answer.headers["retry-after"] == "7"
    assert twilio.create().status_code == 201
