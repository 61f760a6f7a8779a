"""One call and the resource that the API shows of it."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from hashlib import md5
from typing import Any, Literal
from uuid import uuid4

from trunkline_sandbox.fates import CallFate
from trunkline_sandbox.mailbox import NO_MISHAPS, Mishaps
from trunkline_sandbox.voice.orders import CallOrder

# "initiated" is said in callbacks only; the resource calls that state "queued".
CallStatus = Literal[
    "queued", "ringing", "in-progress", "completed", "busy", "failed", "no-answer", "canceled"
]
Direction = Literal["inbound", "outbound-api", "outbound-dial"]
PRICE_A_MINUTE = 0.014
FINAL: frozenset[str] = frozenset({"completed", "busy", "failed", "no-answer", "canceled"})

API = "/2010-04-01"

SUBRESOURCES = (
    ("notifications", "Notifications"),
    ("recordings", "Recordings"),
    ("payments", "Payments"),
    ("events", "Events"),
    ("siprec", "Siprec"),
    ("streams", "Streams"),
    ("transcriptions", "Transcriptions"),
    ("user_defined_message_subscriptions", "UserDefinedMessageSubscriptions"),
    ("user_defined_messages", "UserDefinedMessages"),
)


@dataclass(slots=True, eq=False)
class Call:
    """A call in memory. `duration` counts simulated seconds; the moments are real ones."""

    sid: str
    account_sid: str
    order: CallOrder
    fate: CallFate
    public_url: str
    created: datetime
    updated: datetime
    mishaps: Mishaps = NO_MISHAPS
    direction: Direction = "outbound-api"
    parent: str | None = None
    status: CallStatus = "queued"
    initiated: bool = False
    started: datetime | None = None
    ended: datetime | None = None
    duration: int | None = None
    answered_by: str | None = None
    sip_code: int | None = None
    talked: float = 0.0
    events_said: int = 0
    first_callback: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def over(self) -> bool:
        return self.status in FINAL

    @property
    def uri(self) -> str:
        return f"{API}/Accounts/{self.account_sid}/Calls/{self.sid}"


def called_in(
    order: CallOrder, account_sid: str, public_url: str, fate: CallFate, at: datetime
) -> Call:
    """A call that somebody makes to a number of the account's."""
    return Call(
        sid=f"CA{uuid4().hex}",
        account_sid=account_sid,
        order=order,
        fate=fate,
        public_url=public_url,
        created=at,
        updated=at,
        status="ringing",
        started=at,
        direction="inbound",
    )


def call_resource(call: Call) -> dict[str, Any]:
    """The call as the API shows it."""
    return {
        "sid": call.sid,
        "account_sid": call.account_sid,
        "date_created": moment(call.created),
        "date_updated": moment(call.updated),
        "parent_call_sid": call.parent,
        "to": call.order.to,
        "to_formatted": formatted(call.order.to),
        "from": call.order.from_number,
        "from_formatted": formatted(call.order.from_number),
        "phone_number_sid": derived_sid("PN", call.order.from_number),
        "status": call.status,
        "start_time": moment(call.started),
        "end_time": moment(call.ended),
        "duration": None if call.duration is None else str(call.duration),
        "price": _price(call),
        "price_unit": "USD",
        "direction": call.direction,
        "answered_by": call.answered_by,
        "api_version": API.strip("/"),
        "forwarded_from": None,
        "group_sid": None,
        "caller_name": None,
        "queue_time": _queue_time(call),
        "trunk_sid": None,
        "uri": f"{call.uri}.json",
        "subresource_uris": {name: f"{call.uri}/{part}.json" for name, part in SUBRESOURCES},
    }


def _price(call: Call) -> str | None:
    """Begun minutes of a call that was answered; a price is a charge, so it is below zero."""
    if call.status != "completed" or not call.duration:
        return None
    return f"{-PRICE_A_MINUTE * -(-call.duration // 60):.5f}"


def moment(at: datetime | None) -> str | None:
    """RFC 2822, as every date of this API."""
    return None if at is None else format_datetime(at)


def formatted(number: str) -> str:
    """National form for North America, which is all that Twilio formats."""
    digits = number[2:]
    if number.startswith("+1") and len(digits) == 10:
        return f"({digits[:3]}) {digits[3:6]}-{digits[6:]}"
    return number


def derived_sid(prefix: str, text: str) -> str:
    """A sid that is the same for the same text, for things that need no state."""
    return prefix + md5(text.encode(), usedforsecurity=False).hexdigest()


def _queue_time(call: Call) -> str:
    if call.started is None:
        return "0"
    return str(max(0, round((call.started - call.created).total_seconds() * 1000)))
