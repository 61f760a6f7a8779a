"""How Meta's gateway words a request and reads an answer."""

from __future__ import annotations

import json

import pytest

from trunkline_common.last_byte import Answer
from trunkline_messaging.gateways.meta import classify, message_body
from trunkline_messaging.gateways.whatsapp import MessageOrder


def test_a_text_in_any_script_is_sent_as_it_is() -> None:
    order = MessageOrder("1234567", "token", "+491701234567", 'Grüße "שלום" 👋\n', "att_1")
    body = message_body(order)
    assert json.loads(body)["text"] == {"body": 'Grüße "שלום" 👋\n'}
    assert json.loads(body)["biz_opaque_callback_data"] == "att_1"


def test_an_order_does_not_show_its_secrets_or_its_recipient() -> None:
    shown = repr(MessageOrder("1234567", "s3cret", "+491701234567", "hello", "att_1"))
    for hidden in ("s3cret", "491701234567", "hello"):
        assert hidden not in shown


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'{"messages":[{"id":"wamid.1"}]}', "accepted"),
        (b'{"messages":[{"id":""}]}', "in_doubt"),
        (b'{"messages":[{"id":7}]}', "in_doubt"),
        (b'{"messages":[]}', "in_doubt"),
        (b'{"messages":[{"id":"a"},{"id":"b"}]}', "in_doubt"),
        (b'{"messages":{"id":"a"}}', "in_doubt"),
        (b"[]", "in_doubt"),
        (b"not json", "in_doubt"),
        (b"\xff\xfe", "in_doubt"),
        (b"", "in_doubt"),
    ],
)
def test_a_success_needs_a_readable_id(body: bytes, kind: str) -> None:
    assert classify(Answer("answered", 200, {}, body)).kind == kind


def test_the_providers_own_words_and_code_are_kept() -> None:
    error = {"message": "(#100) Invalid", "code": 100, "error_data": {"details": "the reason"}}
    result = classify(Answer("answered", 400, {}, json.dumps({"error": error}).encode()))
    assert (result.kind, result.code, result.reason) == ("rejected", "100", "the reason")


@pytest.mark.parametrize("body", [b'{"error":7}', b'{"error":{"code":"x"}}', b'{"error":null}'])
def test_an_error_that_cannot_be_read_is_an_error_all_the_same(body: bytes) -> None:
    assert classify(Answer("answered", 400, {}, body)).kind == "rejected"


def test_retry_after_is_found_whatever_its_case() -> None:
    assert classify(Answer("answered", 429, {"retry-after": "12"}, b"")).retry_after == 12
    assert classify(Answer("answered", 429, {"Retry-After": "soon"}, b"")).retry_after is None


def test_no_answer() -> None:
    assert classify(Answer("not_sent", reason="refused")).kind == "not_sent"
    assert classify(Answer("in_doubt", reason="reset")).kind == "in_doubt"
