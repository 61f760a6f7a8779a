"""Signatures are the originals': Twilio's own validator and a plain HMAC say so."""

import hashlib
import hmac
from urllib.parse import parse_qsl

import pytest
from twilio.request_validator import RequestValidator

from trunkline_sandbox.mailbox import _forged
from trunkline_sandbox.voice.accounts import Account
from trunkline_sandbox.voice.progress import SIGNATURE, signed_letter
from trunkline_sandbox.whatsapp.webhooks import sign

ACCOUNT = Account(
    account_sid="AC" + "0" * 32, auth_token="secret", numbers=frozenset({"+14155550100"})
)
PARAMETERS = {"CallSid": "CA1", "To": "+4917012345678", "Word": "größer & kleiner = 100 %"}
URLS = [
    "http://127.0.0.1:8080/twilio/voice",
    "https://example.com/twilio/voice?attempt=a%2Fb&mac=x%3D%3D",
    "https://example.com:8443/a%20b?q=%C3%BC",
]


@pytest.mark.parametrize("url", URLS)
def test_a_posted_callback_passes_the_official_validator(url: str) -> None:
    letter = signed_letter(ACCOUNT, url, "POST", PARAMETERS)
    form = dict(parse_qsl(letter.body.decode()))
    official = RequestValidator("secret")
    assert form == PARAMETERS
    assert letter.url == url
    assert official.validate(url, form, letter.headers[SIGNATURE])
    assert not official.validate(url, {**form, "CallSid": "CA2"}, letter.headers[SIGNATURE])
    assert not official.validate(url, form, _forged(letter).headers[SIGNATURE])


@pytest.mark.parametrize("url", URLS)
def test_a_callback_by_get_signs_its_whole_address(url: str) -> None:
    letter = signed_letter(ACCOUNT, url, "GET", PARAMETERS)
    assert letter.body == b""
    assert letter.url.startswith(url)
    assert RequestValidator("secret").validate(letter.url, {}, letter.headers[SIGNATURE])


def test_a_fragment_is_neither_sent_nor_signed() -> None:
    letter = signed_letter(ACCOUNT, "https://example.com/x#rc=3", "POST", PARAMETERS)
    assert letter.url == "https://example.com/x"


def test_meta_signs_the_raw_body() -> None:
    body = b'{"object":"whatsapp_business_account"}'
    expected = hmac.new(b"app secret", body, hashlib.sha256).hexdigest()
    assert sign("app secret", body) == f"sha256={expected}"
    assert sign("app secret", body + b" ") != sign("app secret", body)
