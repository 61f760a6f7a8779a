"""What a call says, as TwiML."""

from __future__ import annotations

import re
from typing import Final

from twilio.twiml.voice_response import VoiceResponse

# XML 1.0 has no way to write these, escaped or not: one of them would make the call fail.
_UNSPEAKABLE: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def spoken(script: str, language: str) -> str:
    """The TwiML document that speaks a script and hangs up."""
    response = VoiceResponse()
    response.say(_UNSPEAKABLE.sub(" ", script), language=language)
    return str(response)
