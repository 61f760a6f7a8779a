"""Meta's Cloud API: one text message, one request, the last byte withheld.

https://developers.facebook.com/docs/whatsapp/cloud-api/reference/messages
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from importlib.metadata import version

import aiohttp

from trunkline_common.foreign import is_id, read_object
from trunkline_common.last_byte import Answer, post_gated
from trunkline_messaging.domain.answers import Reply, Result, classify_reply, classify_silence
from trunkline_messaging.gateways.whatsapp import MessageOrder

_PHONE_NUMBER_ID = re.compile(r"[0-9]{5,32}")
_TOKEN = re.compile(r"[\x21-\x7e]+")  # what may stand in a header
_USER_AGENT = f"trunkline-messaging/{version('trunkline-messaging')}"  # name/x.y.z, as Meta wants
_LONGEST_REASON = 300


class MetaGateway:
    """Sends on behalf of any business's number; holds no credentials of its own."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str) -> None:
        self._session = session
        self._base_url = base_url.rstrip("/")

    async def send_text(self, order: MessageOrder, may_send: Callable[[], bool]) -> Result:
        """See `MessageGateway.send_text`."""
        if not _PHONE_NUMBER_ID.fullmatch(order.account):
            return Result("misconfigured", code="account", reason="not a phone number id")
        if not _TOKEN.fullmatch(order.access_token):
            return Result("misconfigured", code="access_token", reason="not an access token")
        headers = {
            "Authorization": f"Bearer {order.access_token}",
            "Content-Type": "application/json",
            "Accept": "application/json",
            "User-Agent": _USER_AGENT,
        }
        url = f"{self._base_url}/{order.account}/messages"
        return classify(
            await post_gated(
                self._session, url, message_body(order), may_send=may_send, headers=headers
            )
        )


def message_body(order: MessageOrder) -> bytes:
    """The JSON of one text message."""
    message = {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": order.to,
        "type": "text",
        "text": {"body": order.text},
        "biz_opaque_callback_data": order.reference,
    }
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()


def classify(answer: Answer) -> Result:
    """Read Meta's answer, as far as there is one."""
    if answer.kind != "answered":
        return classify_silence(released=answer.kind == "in_doubt", reason=answer.reason)
    body = read_object(answer.body) or {}
    error = _mapping(body.get("error"))
    details = _mapping(error.get("error_data")).get("details")
    return classify_reply(
        Reply(
            status=answer.status,
            provider_id=_message_id(body),
            code=_number(error.get("code")),
            subcode=_number(error.get("error_subcode")),
            text=str(details or error.get("message") or f"HTTP {answer.status}")[:_LONGEST_REASON],
            retry_after=_retry_after(answer.headers),
        )
    )


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _message_id(body: Mapping[str, object]) -> str | None:
    messages = body.get("messages")
    if not isinstance(messages, list) or len(messages) != 1:
        return None
    found = _mapping(messages[0]).get("id")
    return found if isinstance(found, str) and is_id(found) else None


def _retry_after(headers: Mapping[str, str]) -> float | None:
    given = next((value for name, value in headers.items() if name.lower() == "retry-after"), "")
    return float(given) if re.fullmatch(r"[0-9]{1,6}", given) else None
