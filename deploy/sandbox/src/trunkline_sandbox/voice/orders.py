"""The form of a create-call request, checked in the order in which Twilio complains."""

import re
from dataclasses import dataclass, replace
from typing import Annotated, Literal, get_args
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field

from trunkline_sandbox.bodies import Form
from trunkline_sandbox.voice import errors
from trunkline_sandbox.voice.accounts import Account

CallEvent = Literal["initiated", "ringing", "answered", "completed"]
CALL_EVENTS: tuple[CallEvent, ...] = get_args(CallEvent)

E164_FORM = re.compile(r"\+[1-9][0-9]{6,14}")
PUNCTUATION = re.compile(r"[\s().-]")

LONGEST_RING = 600
LONGEST_CALL = 14_400


@dataclass(frozen=True, slots=True)
class CallOrder:
    """What a customer asked for, in our words; `form` keeps theirs."""

    form: Form
    to: str
    from_number: str
    url: str
    method: str
    fallback_url: str
    fallback_method: str
    twiml: str
    status_callback: str
    status_callback_method: str
    events: frozenset[CallEvent]
    timeout: int
    time_limit: int
    record: bool
    channels: int
    recording_callback: str
    recording_callback_method: str
    recording_events: frozenset[str]
    machine_detection: str


class InboundOrder(BaseModel):
    """A call that somebody makes to a number: what only the sandbox is told."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    account_sid: Annotated[str, Field(pattern=r"^AC[0-9a-fA-F]{32}$")]
    from_number: Annotated[str, Field(alias="from", min_length=1, max_length=40)]
    to: Annotated[str, Field(pattern=r"^\+[1-9][0-9]{6,14}$")]
    voice_url: Annotated[str, Field(pattern=r"^https?://")]
    status_callback: str = ""


def inbound_order(asked: InboundOrder) -> CallOrder:
    """The same in the form of a create request, which is what the exchange works on."""
    form: dict[str, list[str]] = {
        "To": [asked.to],
        "From": [asked.from_number],
        "Url": [asked.voice_url],
        "StatusCallback": [asked.status_callback],
    }
    known = read_order({**form, "From": [asked.to]})  # a caller's number may be withheld
    return replace(known, form=form, from_number=asked.from_number)


def read_order(form: Form) -> CallOrder:
    """Read a form that may come from our own log: shapes are checked, ownership is not."""
    return CallOrder(
        form=form,
        to=_number(form, "To", errors.TO_MISSING, errors.TO_INVALID),
        from_number=_number(form, "From", errors.FROM_MISSING, errors.FROM_INVALID),
        url=_url(form, "Url", errors.URL_INVALID, "Url is not a valid URL"),
        method=_method(form, "Method"),
        fallback_url=_url(form, "FallbackUrl", errors.URL_INVALID, "FallbackUrl is not valid"),
        fallback_method=_method(form, "FallbackMethod"),
        twiml=_text(form, "Twiml"),
        status_callback=_url(form, "StatusCallback", errors.STATUS_CALLBACK_INVALID),
        status_callback_method=_method(form, "StatusCallbackMethod"),
        events=_events(form),
        timeout=_seconds(form, "Timeout", 60, LONGEST_RING),
        time_limit=_seconds(form, "TimeLimit", LONGEST_CALL, LONGEST_CALL),
        record=_text(form, "Record").lower() == "true",
        channels=2 if _text(form, "RecordingChannels") == "dual" else 1,
        recording_callback=_url(form, "RecordingStatusCallback", errors.BAD_PARAMETER),
        recording_callback_method=_method(form, "RecordingStatusCallbackMethod"),
        recording_events=frozenset(_words(form, "RecordingStatusCallbackEvent") or ["completed"]),
        machine_detection=_text(form, "MachineDetection"),
    )


def accept_order(form: Form, account: Account) -> CallOrder:
    """The order, if this account may place it."""
    order = read_order(form)
    refused = errors.MAGIC_REFUSALS.get(order.to)
    if refused is not None:
        raise errors.refusal(refused)
    if order.from_number not in account.numbers:
        raise errors.refusal(errors.FROM_UNVERIFIED)
    if not order.url and not order.twiml:
        raise errors.refusal(errors.URL_INVALID)
    return order


def _text(form: Form, name: str) -> str:
    values = form.get(name)
    return values[-1].strip() if values else ""


def _words(form: Form, name: str) -> list[str]:
    """A repeated field; some clients put all words into one."""
    return [word for value in form.get(name, ()) for word in value.replace(",", " ").split()]


def _number(form: Form, name: str, missing: int, invalid: int) -> str:
    text = PUNCTUATION.sub("", _text(form, name))
    if not text:
        raise errors.refusal(missing)
    if not E164_FORM.fullmatch(text):
        raise errors.refusal(invalid)
    return text


def _url(form: Form, name: str, code: int, message: str | None = None) -> str:
    text = _text(form, name)
    if not text:
        return ""
    try:
        parts = urlsplit(text)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        # Twilio takes no underscore in a host's name.
        valid = valid and "_" not in (parts.hostname or "")
    except ValueError:
        valid = False
    if not valid:
        raise errors.refusal(code, message)
    return text


def _method(form: Form, name: str) -> str:
    text = _text(form, name).upper() or "POST"
    if text not in ("GET", "POST"):
        raise errors.refusal(errors.METHOD_INVALID, f"Invalid {name}")
    return text


def _seconds(form: Form, name: str, usual: int, most: int) -> int:
    text = _text(form, name)
    if not text:
        return usual
    if not text.isascii() or not text.isdigit() or int(text) > most:
        raise errors.refusal(errors.TIMEOUT_INVALID, f"Invalid {name} value")
    return int(text)


def _events(form: Form) -> frozenset[CallEvent]:
    words = _words(form, "StatusCallbackEvent")
    chosen = frozenset(event for event in CALL_EVENTS if event in words)
    if len(chosen) != len(set(words)):
        raise errors.refusal(errors.STATUS_EVENT_INVALID)
    return chosen or frozenset[CallEvent]({"completed"})
