"""Every WhatsApp answer and webhook of the sandbox holds against Meta's own API description."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx
import pytest
from tests.contracts.providers.callers import Caller
from tests.contracts.providers.spec_check import Spec

from trunkline_sandbox.fates import message_fate
from trunkline_sandbox.whatsapp.messages import Message, new_wamid, read_order
from trunkline_sandbox.whatsapp.numbers import BusinessNumber
from trunkline_sandbox.whatsapp.webhooks import status_letter

TEXT = {
    "messaging_product": "whatsapp",
    "recipient_type": "individual",
    "to": "+4917012345678",
    "type": "text",
    "text": {"body": "Guten Tag"},
    "biz_opaque_callback_data": "an attempt",
}
TEMPLATE = {
    "messaging_product": "whatsapp",
    "recipient_type": "individual",
    "to": "4917012345678",
    "type": "template",
    "template": {"name": "hello", "language": {"code": "de", "policy": "deterministic"}},
}


@pytest.fixture
def meta(sandbox_url: str, meta_spec: Spec) -> Iterator[Caller]:
    number = {
        "phone_number_id": str(uuid4().int)[:15],
        "access_token": uuid4().hex,
        "app_secret": "an app secret",
    }
    login = {
        "Authorization": f"Bearer {number['access_token']}",
        "User-Agent": "trunkline/1.0.0",
    }
    with httpx.Client(base_url=sandbox_url, headers=login, trust_env=False) as client:
        client.post("/sandbox/meta/numbers", json=number).raise_for_status()
        yield Caller(meta_spec, client, number["phone_number_id"])


@pytest.mark.parametrize("message", [TEXT, TEMPLATE], ids=["text", "template"])
def test_an_accepted_message(meta: Caller, message: dict[str, Any]) -> None:
    answer = meta.rightly(meta.ask("POST", f"/v23.0/{meta.account}/messages", message=message))
    assert answer.status_code == 200
    assert answer.json()["contacts"] == [{"input": message["to"], "wa_id": "4917012345678"}]
    assert answer.json()["messages"][0]["id"].startswith("wamid.")


def test_the_prose_form_without_recipient_type_is_accepted_too(meta: Caller) -> None:
    message = {name: value for name, value in TEXT.items() if name != "recipient_type"}
    answer = meta.ask("POST", f"/v23.0/{meta.account}/messages", message=message)
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"messaging_product": "sms"}, 400, 100),
        ({"to": ""}, 400, 100),
        ({"to": "nobody"}, 400, 131009),
        ({"text": {}}, 400, 100),
        ({"text": {"body": "x" * 4097}}, 400, 100),
        ({"type": "hologram"}, 400, 131009),
        ({"biz_opaque_callback_data": "x" * 513}, 400, 100),
    ],
)
def test_a_wrong_message_is_refused(
    meta: Caller, changes: dict[str, Any], status: int, code: int
) -> None:
    answer = meta.ask("POST", f"/v23.0/{meta.account}/messages", message={**TEXT, **changes})
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_wrong_token_and_foreign_number(meta: Caller) -> None:
    foreign = meta.ask("POST", "/v23.0/99999999/messages", message=TEXT)
    assert (foreign.status_code, foreign.json()["error"]["error_subcode"]) == (400, 33)
    meta.client.headers["Authorization"] = "Bearer stolen"
    stranger = meta.ask("POST", f"/v23.0/{meta.account}/messages", message=TEXT)
    assert (stranger.status_code, stranger.json()["error"]["code"]) == (401, 190)


@pytest.mark.parametrize(
    ("order", "status", "code"),
    [
        ({"kind": "rate_limit"}, 429, 130429),
        ({"kind": "reject", "code": 131056}, 429, 131056),
        ({"kind": "reject", "code": 131026}, 400, 131026),
        ({"kind": "error_after_accept"}, 500, 131000),
    ],
)
def test_ordered_errors_of_meta(
    meta: Caller, order: dict[str, Any], status: int, code: int
) -> None:
    order = {**order, "account": meta.account, "times": 1}
    meta.client.post("/sandbox/faults", json=order).raise_for_status()
    answer = meta.ask("POST", f"/v23.0/{meta.account}/messages", message=TEXT)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


@pytest.mark.parametrize("status", ["sent", "delivered", "read", "failed"])
def test_status_webhooks_have_the_described_shape(meta_spec: Spec, status: str) -> None:
    number = BusinessNumber(
        phone_number_id="12345678",
        access_token="t",
        app_secret="s",
        webhook_url="http://hook.example/",
    )
    order = read_order(json.dumps(TEXT).encode())
    message = Message(new_wamid(order.wa_id), "12345678", order, message_fate(1, order.to))
    letter = status_letter(number, message, status, datetime.now(UTC))
    payload = json.loads(letter.body)
    value = payload["entry"][0]["changes"][0]["value"]
    assert meta_spec.problems(meta_spec.component("WebhookPayload"), payload, "webhook") == []
    assert meta_spec.problems(meta_spec.component("StatusMessageValue"), value, "value") == []
    assert value["statuses"][0]["biz_opaque_callback_data"] == "an attempt"
