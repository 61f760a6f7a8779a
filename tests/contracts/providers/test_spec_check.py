"""The request checker finds what is wrong, so that its silence means something."""

import json

import pytest
from tests.contracts.providers.spec_check import Spec, check_answer, check_request

SID = "AC" + "a" * 32
CALLS = f"/2010-04-01/Accounts/{SID}/Calls.json"
FORM = {
    "Authorization": "Basic dXNlcjpwYXNz",
    "Content-Type": "application/x-www-form-urlencoded",
}
JSON = {"Authorization": "Bearer abc", "Content-Type": "application/json"}
GOOD = b"To=%2B49170&From=%2B1415&Url=http%3A%2F%2Fx&StatusCallbackEvent=ringing&Timeout=30"
MESSAGE = {
    "messaging_product": "whatsapp",
    "recipient_type": "individual",
    "to": "49170",
    "type": "text",
    "text": {"body": "x"},
}


def test_a_good_form_and_a_good_message_pass(twilio_spec: Spec, meta_spec: Spec) -> None:
    body = json.dumps(MESSAGE).encode()
    assert check_request(twilio_spec, "POST", CALLS, FORM, GOOD) == []
    assert check_request(meta_spec, "POST", "/v23.0/1/messages", JSON, body) == []


@pytest.mark.parametrize(
    ("path", "headers", "body", "complaint"),
    [
        (CALLS, {**FORM, "Authorization": ""}, GOOD, "Authorization"),
        (CALLS, {**FORM, "Content-Type": "application/json"}, GOOD, "application/json"),
        (CALLS, FORM, b"To=%2B49170", "'From' is a required property"),
        (CALLS, FORM, GOOD + b"&Method=PATCH", "Method"),
        (CALLS, FORM, GOOD + b"&Timeout=soon", "Timeout"),
        (CALLS, FORM, GOOD + b"&Colour=red", "unknown field"),
        (CALLS.replace("AC", "AX"), FORM, GOOD, "path AccountSid"),
        ("/2010-04-01/Nothing.json", FORM, GOOD, "no such operation"),
    ],
)
def test_twilio_complaints(
    twilio_spec: Spec, path: str, headers: dict[str, str], body: bytes, complaint: str
) -> None:
    found = check_request(twilio_spec, "POST", path, headers, body)
    assert any(complaint in each for each in found), found


def test_meta_complaints(meta_spec: Spec) -> None:
    for change in ({"to": 49170}, {"text": {"body": 1}}, {"recipient_type": "crowd"}):
        body = json.dumps({**MESSAGE, **change}).encode()
        assert check_request(meta_spec, "POST", "/v23.0/1/messages", JSON, body) != []
    assert check_request(meta_spec, "POST", "/v23.0/1/messages", {}, b"{}") != []


def test_wrong_answers_are_seen(twilio_spec: Spec) -> None:
    call = {"sid": "CA1", "date_created": "yesterday", "status": "ringing"}
    found = check_answer(twilio_spec, "POST", CALLS, 201, json.dumps(call).encode())
    assert len(found) >= 2
    assert check_answer(twilio_spec, "POST", CALLS, 500, b'{"detail":"oops"}') != []
    assert check_answer(twilio_spec, "POST", CALLS, 202, b"{}") != []
