"""The form of a call: what is put together by hand says what the library would have said."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import parse_qsl, quote_plus

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from trunkline_outbound.gateways.forms import quoted
from trunkline_outbound.gateways.twilio import call_form
from trunkline_outbound.gateways.voice import CallOrder

URL = "https://api.test/callbacks/twilio/chn_1/run_1/att_1/0a"
ORDER = CallOrder(
    account="AC" + "0" * 32,
    auth_token="secret",
    from_number="+15005550006",
    to_number="+12025550123",
    script_url=f"{URL}/twiml?cid=a%20b&tp=00-1-2-01",
    status_url=f"{URL}/status?cid=a%20b&tp=",
    recording_url=None,
    ring_timeout=60,
    time_limit=3600,
)
FIELDS = [
    ("From", "+15005550006"),
    ("Method", "POST"),
    ("StatusCallback", ORDER.status_url),
    ("StatusCallbackEvent", "answered"),
    ("StatusCallbackEvent", "completed"),
    ("StatusCallbackEvent", "initiated"),
    ("StatusCallbackEvent", "ringing"),
    ("StatusCallbackMethod", "POST"),
    ("TimeLimit", "3600"),
    ("Timeout", "60"),
    ("To", "+12025550123"),
    ("Url", ORDER.script_url),
]
RECORDED = [
    ("Record", "true"),
    ("RecordingStatusCallback", f"{URL}/recording?a=b"),
    ("RecordingStatusCallbackEvent", "completed"),
    ("RecordingStatusCallbackMethod", "POST"),
]


@given(st.text(st.characters(exclude_categories=["Cs"])))
@example("+12025550123")
@example(URL + "/status?cid=%2B&tp=")
@example("a b~*%\n")
def test_a_value_is_quoted_as_the_library_does(value: str) -> None:
    assert quoted(value) == quote_plus(value)


@given(st.text("aZ09_.~:/?=&%+-"))
def test_so_is_a_value_of_familiar_characters(value: str) -> None:
    assert quoted(value) == quote_plus(value)


@pytest.mark.parametrize("recorded", [False, True])
def test_the_form_has_each_field_once(recorded: bool) -> None:
    order = replace(ORDER, recording_url=f"{URL}/recording?a=b") if recorded else ORDER
    said = sorted(parse_qsl(call_form(order).decode(), strict_parsing=True))
    assert said == sorted(FIELDS + RECORDED if recorded else FIELDS)
