"""What a provider's callback says, read from its form or JSON: keys, numbers, times."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from trunkline_common.contracts.api import (
    CallStatusReported,
    CallTwimlFetched,
    MessageStatusReported,
    RecordingReported,
)
from trunkline_common.contracts.content import CallLegReported
from trunkline_common.contracts.envelope import Event
from trunkline_common.ids import ATTEMPT, is_id

Form = Mapping[str, str]
_LONGEST_WORD: Final = 300


@dataclass(frozen=True, slots=True)
class Place:
    """Where a Twilio callback belongs; its URL said so, and our token in it proved it."""

    channel_id: str
    account: str
    attempt_id: str


@dataclass(frozen=True, slots=True)
class Heard:
    """One element of a callback: its natural key, the fact in it, or why there is none."""

    key: str
    kind: str
    body: str
    event: Event | None = None
    problem: str | None = None
    attempt_id: str | None = None


def call_status(form: Form, place: Place, raw: str) -> Heard:
    """A call's progress. Twilio signs no time, so the natural key is what stops a replay."""
    if form.get("ParentCallSid"):
        return call_leg(form, place, raw)  # its end is not the end of our call
    sid, status = printable(form["CallSid"]), printable(form["CallStatus"])
    number = whole(form.get("SequenceNumber", ""))
    event = CallStatusReported(
        provider_call_id=sid,
        account=place.account,
        channel_id=place.channel_id,
        attempt_id=place.attempt_id,
        status=status,
        sequence_number=number,
        duration=whole(form.get("CallDuration", "")),
        answered_by=said(form, "AnsweredBy"),
        error_code=said(form, "ErrorCode"),
        sip_code=said(form, "SipResponseCode"),
        reported_at=time(form.get("Timestamp", "")),
    )
    key = f"status:{sid}:{status}:{numbered(number)}:{digest(raw)}"
    return Heard(key, "status", raw, event, attempt_id=place.attempt_id)


def twiml_fetch(form: Form, place: Place, raw: str) -> Heard:
    """Twilio asks what to say: proof of acceptance, and all its repetitions prove the same."""
    sid = printable(form["CallSid"])
    event = CallTwimlFetched(
        provider_call_id=sid,
        account=place.account,
        channel_id=place.channel_id,
        attempt_id=place.attempt_id,
    )
    key = f"twiml:{sid}:{place.attempt_id}"
    return Heard(key, "twiml", raw, event, attempt_id=place.attempt_id)


def call_leg(form: Form, place: Place, raw: str) -> Heard:
    """The progress of a leg that our call opened: a call of its own, and none of ours."""
    sid, status = printable(form["CallSid"]), printable(form["CallStatus"])
    event = CallLegReported(
        provider_call_id=printable(form["ParentCallSid"]),
        leg_id=sid,
        account=place.account,
        channel_id=place.channel_id,
        attempt_id=place.attempt_id,
        status=status,
        duration=whole(form.get("CallDuration", "")),
    )
    number = whole(form.get("SequenceNumber", ""))
    key = f"leg:{sid}:{status}:{numbered(number)}:{digest(raw)}"
    return Heard(key, "leg", raw, event, attempt_id=place.attempt_id)


def connection_end(form: Form, place: Place, raw: str) -> Heard:
    """What came of connecting an agent: kept, and told to nobody, since the leg's end is."""
    sid, status = printable(form["CallSid"]), printable(form["DialCallStatus"])
    return Heard(f"dialled:{sid}:{status}", "dialled", raw, attempt_id=place.attempt_id)


def recording_status(form: Form, place: Place, raw: str) -> Heard:
    """A recording is ready at the provider, or failed there."""
    sid, status = printable(form["RecordingSid"]), printable(form["RecordingStatus"])
    event = RecordingReported(
        provider_recording_id=sid,
        provider_call_id=printable(form["CallSid"]),
        account=place.account,
        channel_id=place.channel_id,
        attempt_id=place.attempt_id,
        status=status,
        duration=whole(form.get("RecordingDuration", "")),
        channels=whole(form.get("RecordingChannels", "")),
        reported_at=time(form.get("RecordingStartTime", "")),
    )
    return Heard(f"recording:{sid}:{status}", "recording", raw, event, attempt_id=place.attempt_id)


def meta_elements(raw: bytes, channel_id: str, account: str) -> Iterator[Heard]:
    """Every element of a batch by itself: one that makes no sense must not fail the rest."""
    try:
        entries = json.loads(raw)["entry"]
        values = [change["value"] for entry in entries for change in entry["changes"]]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        text = raw.decode("utf-8", "replace").replace("\x00", "\ufffd")
        yield Heard(f"bad:{digest(text)}", "unreadable", text, problem=f"no batch: {error!r}")
        return
    for value in values:
        yield from _elements_of(value, channel_id, account)


def _elements_of(value: object, channel_id: str, account: str) -> Iterator[Heard]:
    if not isinstance(value, dict):
        yield _bad(value, "a change without a value")
        return
    metadata = value.get("metadata")
    number = metadata.get("phone_number_id") if isinstance(metadata, dict) else None
    foreign = number is not None and str(number) != account
    for kind in ("statuses", "messages"):
        elements = value.get(kind) or []
        if not isinstance(elements, list):
            yield _bad(value, f"{kind} is not a list")
            continue
        for element in elements:
            if foreign:
                yield _bad(element, "of another phone number than the channel's")
            else:
                yield _element(kind, element, channel_id)


def _element(kind: str, element: object, channel_id: str) -> Heard:
    body = json.dumps(element, sort_keys=True)
    try:
        if not isinstance(element, dict):
            return _bad(element, "not an object")
        if kind == "messages":  # kept for the issue that reads them; nobody hears of them yet
            return Heard(f"message:{printable(element['id'])}", "message", body)
        return _status(element, channel_id, body)
    except (KeyError, TypeError, ValueError, OverflowError, OSError) as error:
        return _bad(element, repr(error))


def _status(element: dict[str, object], channel_id: str, body: str) -> Heard:
    provider_id, status = printable(element["id"]), printable(element["status"])
    stamp = element.get("timestamp")
    marked = str(element.get("biz_opaque_callback_data") or "")
    attempt = marked if is_id(marked, ATTEMPT) else None
    errors = element.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else {}
    event = MessageStatusReported(
        provider_message_id=provider_id,
        channel_id=channel_id,
        attempt_id=attempt,
        status=status,
        error_code=_code(first["code"]) if "code" in first else None,
        error_title=printable(first["title"]) if "title" in first else None,
        reported_at=datetime.fromtimestamp(int(str(stamp)), UTC) if stamp else None,
    )
    key = f"status:{provider_id}:{status}:{stamp or ''}"
    return Heard(key, "status", body, event, attempt_id=attempt)


def _bad(element: object, problem: str) -> Heard:
    body = json.dumps(element, sort_keys=True)
    return Heard(f"bad:{digest(body)}", "unreadable", body, problem=problem[:300])


def printable(value: object) -> str:
    """A short text that PostgreSQL can keep: no NUL, no half of a surrogate pair."""
    text = str(value)
    if not text or len(text) > _LONGEST_WORD or not text.isprintable():
        message = f"not a word: {text[:40]!r}"
        raise ValueError(message)
    return text


def said(form: Form, name: str) -> str | None:
    """A word that may be left out."""
    return printable(form[name]) if form.get(name) else None


def _code(value: object) -> int:
    code = int(str(value))
    if not 0 <= code < 2**31:
        message = f"not a code: {code}"
        raise ValueError(message)
    return code


def digest(text: str) -> str:
    """A short name for a text, the same each time."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def whole(text: str) -> int | None:
    """A whole number, or None."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def numbered(number: int | None) -> str:
    """A number as keys have it; nothing for none."""
    return "" if number is None else str(number)


def time(text: str) -> datetime | None:
    """RFC 2822, as Twilio writes times; None where it is not that."""
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
