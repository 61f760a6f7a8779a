"""WhatsApp messages through to their statuses, as a customer sees it."""

import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from tests.integration.sandbox.listener import Listener

SECRET = "an app secret"


@dataclass(frozen=True)
class Sender:
    """One WhatsApp number."""

    session: aiohttp.ClientSession
    sandbox: str
    listener: Listener
    number: str
    token: str

    async def send(self, to: str, **changes: Any) -> tuple[int, dict[str, Any]]:
        message = {
            "messaging_product": "whatsapp",
            "to": to,
            "type": "text",
            "text": {"body": "Guten Tag"},
            "biz_opaque_callback_data": "attempt-1",
        } | changes
        url = f"{self.sandbox}/v23.0/{self.number}/messages"
        login = {"Authorization": f"Bearer {self.token}"}
        async with self.session.post(url, json=message, headers=login) as answer:
            return answer.status, await answer.json()

    def told(self) -> list[dict[str, Any]]:
        """Every status that was told, after its signature was checked."""
        told: list[dict[str, Any]] = []
        for heard in self.listener.at("/hook"):
            if heard.method == "POST":
                digest = hmac.new(SECRET.encode(), heard.body, hashlib.sha256).hexdigest()
                assert heard.headers["X-Hub-Signature-256"] == f"sha256={digest}"
                (entry,) = json.loads(heard.body)["entry"]
                told += entry["changes"][0]["value"]["statuses"]
        return told


@pytest.fixture
async def sender(sandbox_url: str, listener: Listener, session: aiohttp.ClientSession) -> Sender:
    sender = Sender(session, sandbox_url, listener, str(uuid4().int)[:15], uuid4().hex)
    status = await _register(sender, webhook_url=f"{listener.url}/hook")
    assert status == 201
    return sender


async def _register(sender: Sender, **changes: Any) -> int:
    number = {
        "phone_number_id": sender.number,
        "access_token": sender.token,
        "app_secret": SECRET,
        "verify_token": "let me in",
    } | changes
    url = f"{sender.sandbox}/sandbox/meta/numbers"
    async with sender.session.post(url, json=number) as answer:
        return answer.status


@pytest.mark.parametrize(
    ("to", "statuses"),
    [
        ("+4917000000001", ["sent", "delivered", "read"]),
        ("+4917000000002", ["sent", "delivered"]),
        ("+4917000000004", ["failed"]),
    ],
)
async def test_statuses_arrive_signed_and_in_order(
    sender: Sender, listener: Listener, to: str, statuses: list[str]
) -> None:
    status, body = await sender.send(to)
    assert status == 200
    await listener.until(lambda: len(sender.told()) == len(statuses))
    told = sender.told()
    assert [each["status"] for each in told] == statuses
    assert {each["id"] for each in told} == {body["messages"][0]["id"]}
    assert {each["recipient_id"] for each in told} == {to[1:]}
    assert {each["biz_opaque_callback_data"] for each in told} == {"attempt-1"}
    assert ("errors" in told[-1]) is (statuses == ["failed"])


async def test_a_webhook_is_verified_when_registered(sender: Sender, listener: Listener) -> None:
    (handshake,) = [each for each in listener.at("/hook") if each.method == "GET"]
    assert handshake.query["hub.verify_token"] == "let me in"
    listener.verifies = False
    assert await _register(sender, webhook_url=f"{listener.url}/hook") == 400
    assert await _register(sender, webhook_url="http://127.0.0.1:9/hook") == 400


async def test_limits_per_second_and_per_pair(sender: Sender, listener: Listener) -> None:
    hook = f"{listener.url}/hook"
    await _register(sender, webhook_url=hook, messages_per_second=2)
    answers = [await sender.send(f"+49170000000{n}1") for n in range(3)]
    assert [status for status, _ in answers] == [200, 200, 429]
    assert answers[2][1]["error"]["code"] == 130429
    await _register(sender, webhook_url=hook, pair_seconds=30)
    answers = [await sender.send("+4917000000091") for _ in range(2)]
    assert [status for status, _ in answers] == [200, 429]
    assert answers[1][1]["error"]["code"] == 131056


async def test_accepted_and_never_answered(sender: Sender, listener: Listener) -> None:
    order = {"kind": "accept_then_reset", "account": sender.number, "times": 1}
    url = f"{sender.sandbox}/sandbox/faults"
    async with sender.session.post(url, json=order) as answer:
        assert answer.status == 201
    with pytest.raises(aiohttp.ClientError):
        await sender.send("+4917000000001")
    await listener.until(lambda: len(sender.told()) == 3)
