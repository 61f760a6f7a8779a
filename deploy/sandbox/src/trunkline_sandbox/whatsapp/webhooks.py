"""Meta's webhooks: the envelope of a status, its signature, and the handshake before the first."""

import hmac
import json
import secrets
from datetime import datetime
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode

from trunkline_sandbox.courier import Courier, Letter
from trunkline_sandbox.whatsapp.errors import UNDELIVERABLE
from trunkline_sandbox.whatsapp.messages import Message
from trunkline_sandbox.whatsapp.numbers import BusinessNumber

SIGNATURE = "X-Hub-Signature-256"


def sign(app_secret: str, body: bytes) -> str:
    """HMAC-SHA256 over the raw body, under the app's secret."""
    return "sha256=" + hmac.new(app_secret.encode(), body, sha256).hexdigest()


def status_letter(number: BusinessNumber, message: Message, status: str, at: datetime) -> Letter:
    """The signed webhook that tells one status of one message."""
    value = {
        "messaging_product": "whatsapp",
        "metadata": {
            "display_phone_number": number.display_phone_number,
            "phone_number_id": number.phone_number_id,
        },
        "statuses": [_status(message, status, at)],
    }
    envelope = {
        "object": "whatsapp_business_account",
        "entry": [
            {
                "id": number.business_account_id,
                "changes": [{"value": value, "field": "messages"}],
            }
        ],
    }
    body = json.dumps(envelope, separators=(",", ":")).encode()
    return Letter(
        number.webhook_url,
        "POST",
        body=body,
        headers={
            "Content-Type": "application/json",
            "User-Agent": "facebookexternalua",
            SIGNATURE: sign(number.app_secret, body),
        },
    )


async def handshake(courier: Courier, number: BusinessNumber) -> str:
    """Ask the webhook to prove itself; an empty text when it did, else what went wrong."""
    challenge = str(secrets.randbelow(10**10))
    query = urlencode(
        {
            "hub.mode": "subscribe",
            "hub.challenge": challenge,
            "hub.verify_token": number.verify_token,
        }
    )
    joint = "&" if "?" in number.webhook_url else "?"
    reply = await courier.send(Letter(f"{number.webhook_url}{joint}{query}", "GET"))
    if not reply.fine:
        return f"the webhook answered {reply.status} {reply.problem}".rstrip()
    if reply.text.strip() != challenge:
        return "the webhook did not answer with the challenge"
    return ""


def _status(message: Message, status: str, at: datetime) -> dict[str, Any]:
    body: dict[str, Any] = {
        "id": message.wamid,
        "status": status,
        "timestamp": str(int(at.timestamp())),
        "recipient_id": message.order.wa_id,
    }
    if status in ("sent", "delivered"):
        body["conversation"] = {
            "id": sha256(f"{message.phone_number_id}:{message.order.wa_id}".encode()).hexdigest()[
                :32
            ],
            "origin": {"type": message.order.category},
        }
        body["pricing"] = {
            "billable": message.order.category != "service",
            "pricing_model": "PMP",
            "category": message.order.category,
        }
    if message.order.callback_data:
        body["biz_opaque_callback_data"] = message.order.callback_data
    if status == "failed":
        body["errors"] = [
            {
                "code": UNDELIVERABLE,
                "title": "Message undeliverable",
                "message": "Message undeliverable",
                "error_data": {"details": "Message Undeliverable."},
                "href": "https://developers.facebook.com/docs/whatsapp/cloud-api/support/"
                "error-codes/",
            }
        ]
    return body
