"""Calls on the way in: what they are told, whose they can be, and what is said of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from pydantic import ValidationError
from twilio.twiml.voice_response import VoiceResponse

from trunkline_api.domain.provider_facts import (
    Form,
    Heard,
    digest,
    numbered,
    printable,
    said,
    time,
    whole,
)
from trunkline_api.domain.speech import Speaker, values_of
from trunkline_api.domain.steps import (
    Dialogue,
    required_of,
    texts_of,
    undeclared_in,
)
from trunkline_common.contracts.inbound import CallInboundReported

UNKNOWN_NUMBER: Final = "unknown_number"
FOREIGN_ACCOUNT: Final = "foreign_account"

# What a caller hears where the business has not said anything.
POLITE: Final = Dialogue(
    script="Thank you for your call. Nobody can take it on this number. Good bye."
)


@dataclass(frozen=True, slots=True)
class InboundLinks:
    """Addresses below the channel's own: `base` has our token. `file`: where a file is."""

    base: str
    file: Callable[[str], str]

    def digits(self, step: int, turn: int) -> str:
        """See `speech.Links`."""
        return f"{self.base}/digits?{urlencode({'step': step, 'turn': turn})}"

    def dialled(self, step: int, digits: str) -> str:
        """See `speech.Links`."""
        return f"{self.base}/dialled?{urlencode({'step': step, 'keys': digits})}"

    def leg(self) -> str:
        """See `speech.Links`."""
        return f"{self.base}/leg"

    def media(self, media_id: str) -> str:
        """See `speech.Links`."""
        return self.file(media_id)


def stray_reason(form: Form, account: str, senders: frozenset[str]) -> str | None:
    """Why a call leads to nobody, though its signature is the channel's.

    One auth token may sign for several accounts and numbers: the number that was dialled says
    whose call it is, and nothing else does. A leg to an agent shows that number as its caller.
    """
    if form.get("AccountSid", account) != account:
        return FOREIGN_ACCOUNT
    number = form.get("From" if form.get("ParentCallSid") else "To", "")
    return None if number in senders else UNKNOWN_NUMBER


def rejection() -> str:
    """What a call that leads to nobody hears: nothing."""
    response = VoiceResponse()
    response.reject()
    return str(response)


def speaker(kept: Mapping[str, Any] | None, links: InboundLinks, number: str) -> Speaker:
    """Who answers a call to this number, and what it says."""
    dialogue = POLITE
    if kept is not None:
        try:
            dialogue = Dialogue.model_validate(kept, extra="ignore")
        except ValidationError:  # of another version: the caller is to hear something
            dialogue = POLITE
    return Speaker(dialogue, links, values_of(dialogue, {}), number)


def faults_of(dialogue: Dialogue) -> list[tuple[str, str]]:
    """What cannot be said to a caller of whom nothing is known: (place, why)."""
    faults = [
        (f"#/variables/{name}", "a caller brings no values: give a default")
        for name in required_of(dialogue.variables)
    ]
    undeclared = undeclared_in(texts_of(dialogue), set(dialogue.variables))
    faults += [(f"#/{place}", f"`{name}` is not declared") for place, name in undeclared]
    if not dialogue.story:
        faults.append(("#/steps", "say something: give a script or steps"))
    if dialogue.voicemail:
        faults.append(("#/voicemail", "callers are no machines"))
    return faults


def inbound_status(form: Form, channel_id: str, account: str, raw: str) -> Heard:
    """A call came, went on or ended."""
    sid, status = printable(form["CallSid"]), printable(form["CallStatus"])
    number = whole(form.get("SequenceNumber", ""))
    event = CallInboundReported(
        provider_call_id=sid,
        account=account,
        channel_id=channel_id,
        from_number=said(form, "From"),
        to_number=printable(form["To"]),
        status=status,
        sequence_number=number,
        duration=whole(form.get("CallDuration", "")),
        answered_by=said(form, "AnsweredBy"),
        error_code=said(form, "ErrorCode"),
        sip_code=said(form, "SipResponseCode"),
        reported_at=time(form.get("Timestamp", "")),
        parent_call_id=said(form, "ParentCallSid"),
    )
    return Heard(f"inbound:{sid}:{status}:{numbered(number)}:{digest(raw)}", "inbound", raw, event)
