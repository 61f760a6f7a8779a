"""The official Twilio SDK talks to the sandbox as if it were the original."""

import time
from collections.abc import Iterator
from uuid import uuid4

import httpx
import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

FROM = "+14155550100"
SAY = "<Response><Say>Hello</Say></Response>"


@pytest.fixture
def client(sandbox_url: str) -> Iterator[Client]:
    sid = f"AC{uuid4().hex}"
    account = {"account_sid": sid, "auth_token": "token", "numbers": [FROM]}
    url = f"{sandbox_url}/sandbox/twilio/accounts"
    httpx.post(url, json=account, trust_env=False).raise_for_status()
    transport = TwilioHttpClient(timeout=5)
    client = Client(sid, "token", http_client=transport)
    client.api.base_url = sandbox_url
    yield client
    if transport.session is not None:
        transport.session.close()


def test_create_fetch_and_the_end(client: Client) -> None:
    call = client.calls.create(to="+491701234501", from_=FROM, twiml=SAY, record=True)
    deadline = time.monotonic() + 10
    while call.status != "completed" and time.monotonic() < deadline:
        call = client.calls(call.sid).fetch()
    assert call.status == "completed"
    assert call.start_time is not None
    assert call.end_time >= call.start_time
    (recording,) = client.calls(call.sid).recordings.list()
    assert recording.call_sid == call.sid


def test_list_goes_over_pages(client: Client) -> None:
    sids = [client.calls.create(to="+491701234502", from_=FROM, twiml=SAY).sid for _ in range(5)]
    listed = client.calls.list(to="+491701234502", page_size=2)
    assert [call.sid for call in listed] == sids[::-1]


def test_cancel(client: Client) -> None:
    call = client.calls.create(to="+491701234503", from_=FROM, twiml=SAY)
    assert client.calls(call.sid).update(status="canceled").status == "canceled"


def test_errors_arrive_with_code_and_words(client: Client) -> None:
    with pytest.raises(TwilioRestException) as refused:
        client.calls.create(to="nobody", from_=FROM, twiml=SAY)
    assert (refused.value.status, refused.value.code) == (400, 21211)
    assert "not valid" in refused.value.msg
