"""A message request, checked as Meta checks it, and the message that comes of it."""

import asyncio
import base64
import re
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from pydantic import TypeAdapter, ValidationError

from trunkline_sandbox.fates import MessageFate
from trunkline_sandbox.mailbox import NO_MISHAPS, Mishaps
from trunkline_sandbox.whatsapp import errors

PHONE = re.compile(r"\+?[0-9]{7,15}")
PUNCTUATION = re.compile(r"[\s().-]")
# Stricter than `json`: text that no UTF-8 file could hold is refused here, not at the witness.
REQUEST = TypeAdapter(dict[str, Any])
LONGEST_TEXT = 4096
LONGEST_CALLBACK_DATA = 512


@dataclass(frozen=True, slots=True)
class MessageOrder:
    """What a customer asked for; `request` keeps their words."""

    request: dict[str, Any]
    to: str
    wa_id: str
    kind: str
    category: str
    callback_data: str


@dataclass(slots=True, eq=False)
class Message:
    """A message on its way."""

    wamid: str
    phone_number_id: str
    order: MessageOrder
    fate: MessageFate
    mishaps: Mishaps = NO_MISHAPS
    said: int = 0
    first_callback: asyncio.Event = field(default_factory=asyncio.Event)


def read_order(body: bytes) -> MessageOrder:
    """Text and template messages, with and without `recipient_type`."""
    request = _parsed(body)
    if request.get("messaging_product") != "whatsapp":
        raise errors.refusal(
            errors.BAD_PARAMETER, "The parameter messaging_product must be 'whatsapp'."
        )
    if request.get("recipient_type", "individual") != "individual":
        raise errors.refusal(errors.BAD_VALUE, "recipient_type must be 'individual'.")
    to = request.get("to")
    if not isinstance(to, str) or not to:
        raise errors.refusal(errors.BAD_PARAMETER, "The parameter to is required.")
    number = PUNCTUATION.sub("", to)
    if not PHONE.fullmatch(number):
        raise errors.refusal(errors.BAD_VALUE, "The parameter to is not a valid phone number.")
    kind = request.get("type", "text")
    if kind == "text":
        _check_text(request.get("text"))
    elif kind == "template":
        _check_template(request.get("template"))
    else:
        raise errors.refusal(errors.BAD_VALUE, "This sandbox sends text and template messages.")
    return MessageOrder(
        request=request,
        to=to,
        wa_id=number.lstrip("+"),
        kind=kind,
        category="service" if kind == "text" else "utility",
        callback_data=_callback_data(request),
    )


def new_wamid(wa_id: str) -> str:
    """An id of Meta's shape: `wamid.` and base64."""
    return "wamid." + base64.b64encode(f"{wa_id}:{uuid4().hex}".encode()).decode()


def accepted_body(message: Message) -> dict[str, Any]:
    """The answer to an accepted request."""
    answer: dict[str, Any] = {"id": message.wamid}
    if message.order.kind == "template":
        answer["message_status"] = "accepted"
    return {
        "messaging_product": "whatsapp",
        "contacts": [{"input": message.order.to, "wa_id": message.order.wa_id}],
        "messages": [answer],
    }


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        return REQUEST.validate_json(body)
    except ValidationError as error:
        raise errors.refusal(errors.BAD_PARAMETER, "The body is not a JSON object.") from error


def _check_text(text: object) -> None:
    words = text.get("body") if isinstance(text, dict) else None
    if not isinstance(words, str) or not words:
        raise errors.refusal(errors.BAD_PARAMETER, "The parameter text['body'] is required.")
    if len(words) > LONGEST_TEXT:
        raise errors.refusal(
            errors.BAD_PARAMETER, f"Param text['body'] must be at most {LONGEST_TEXT} characters."
        )


def _check_template(template: object) -> None:
    if not isinstance(template, dict) or not isinstance(template.get("name"), str):
        raise errors.refusal(errors.BAD_PARAMETER, "The parameter template['name'] is required.")
    language = template.get("language")
    if not isinstance(language, dict) or not isinstance(language.get("code"), str):
        raise errors.refusal(
            errors.BAD_PARAMETER, "The parameter template['language']['code'] is required."
        )


def _callback_data(request: dict[str, Any]) -> str:
    data = request.get("biz_opaque_callback_data", "")
    if not isinstance(data, str) or len(data) > LONGEST_CALLBACK_DATA:
        raise errors.refusal(
            errors.BAD_PARAMETER,
            f"biz_opaque_callback_data must be a text of at most {LONGEST_CALLBACK_DATA}.",
        )
    return data
