"""What was pressed in a call, read from Twilio's form."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from trunkline_api.domain.provider_facts import Form, Heard, Place
from trunkline_api.domain.speech import Meaning
from trunkline_common.contracts.content import CallDigitsReported

_DIGITS: Final = re.compile(r"^[0-9*#]{0,16}$")
_SID: Final = re.compile(r"^[A-Za-z0-9]{1,64}$")
_NUMBER: Final = re.compile(r"^\+[1-9][0-9]{6,14}$")


@dataclass(frozen=True, slots=True)
class Pressed:
    """Keys that were pressed in a call, `""` for none, and the number that was called."""

    provider_call_id: str
    digits: str
    called: str


@dataclass(frozen=True, slots=True)
class Response:
    """Pressed keys with their place in the dialogue and what they mean there."""

    pressed: Pressed
    step: int
    turn: int
    meaning: Meaning


def pressed_in(form: Form) -> Pressed:
    """Read a gather's result; ValueError where it is none, KeyError where it has no call."""
    pressed = Pressed(form["CallSid"], form.get("Digits", ""), form["To"])
    forms = ((_SID, pressed.provider_call_id), (_DIGITS, pressed.digits), (_NUMBER, pressed.called))
    for wanted, value in forms:
        if not wanted.match(value):
            message = f"not what a call can bring: {value[:40]!r}"
            raise ValueError(message)
    return pressed


def heard_of(response: Response, place: Place, raw: str) -> Heard:
    """The fact under its natural key: one question is answered once, however often it is told."""
    pressed = response.pressed
    event = CallDigitsReported(
        provider_call_id=pressed.provider_call_id,
        account=place.account,
        channel_id=place.channel_id,
        attempt_id=place.attempt_id,
        step=response.step,
        turn=response.turn,
        digits=pressed.digits,
        meaning=response.meaning,
    )
    key = f"digits:{pressed.provider_call_id}:{response.step}:{response.turn}"
    return Heard(key, "digits", raw, event, attempt_id=place.attempt_id)
