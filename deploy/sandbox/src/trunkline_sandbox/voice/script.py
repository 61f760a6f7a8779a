"""TwiML, as far as it decides how long a call talks and what it records. No I/O."""

import re
from dataclasses import dataclass
from xml.etree import ElementTree as ET

SECONDS_PER_CHARACTER = 0.065
PLAY_SECONDS = 8.0
GATHER_SECONDS = 5.0
RECORD_SECONDS = 3_600.0
UNTIL_HANGUP = 14_400.0
DIAL_RINGS = 30.0
E164 = re.compile(r"\+[1-9][0-9]{6,14}")

# Verbs that hold the line until somebody hangs up.
HOLDING = frozenset({"Dial", "Connect", "Enqueue"})


class UnusableScriptError(Exception):
    """Twilio's error 12100: not XML, or not a Response."""


@dataclass(frozen=True, slots=True)
class Question:
    """Where a document asks for keys: the seconds until its prompt is over, and who is told."""

    seconds: float
    timeout: float
    action: str
    method: str
    digits: int
    tells_silence: bool


@dataclass(frozen=True, slots=True)
class Connection:
    """Where a document dials a number: the seconds until it does, and what it says of the leg."""

    seconds: float
    to: str
    caller_id: str
    timeout: float
    time_limit: float
    action: str
    method: str
    callback: str
    callback_method: str
    events: str


@dataclass(frozen=True, slots=True)
class Script:
    """What a document comes to: the seconds it lasts, what it says, whether it records.

    `rejects`: it begins with a Reject, and a call that has not been answered is not; why.
    `question` is its first, if the customer wants to hear of it. `connection` is its first Dial of
    a number, if no question comes before it.
    """

    seconds: float
    spoken: str
    records: bool
    recording_callback: str
    recording_callback_method: str
    rejects: str = ""
    question: Question | None = None
    connection: Connection | None = None


def read_script(document: str) -> Script:
    """Read a TwiML document."""
    if "<!DOCTYPE" in document or "<!ENTITY" in document:
        raise UnusableScriptError("a document type is not allowed")
    try:
        root = ET.fromstring(document.strip())  # noqa: S314 - no document type, so no entities
    except ET.ParseError as error:
        raise UnusableScriptError(str(error)) from error
    if root.tag != "Response":
        raise UnusableScriptError(f"the root is {root.tag}, not Response")
    record = root.find("Record")
    return Script(
        seconds=_length(root),
        spoken=" ".join(said for verb in root.iter("Say") if (said := _said(verb))),
        records=record is not None,
        recording_callback=_attribute(record, "recordingStatusCallback"),
        recording_callback_method=_attribute(record, "recordingStatusCallbackMethod") or "POST",
        rejects=_rejection(root),
        question=_question(root),
        connection=_connection(root),
    )


def _rejection(root: ET.Element) -> str:
    first = next(iter(root), None)
    if first is None or first.tag != "Reject":
        return ""
    return first.get("reason", "rejected")


def _question(root: ET.Element) -> Question | None:
    """Twilio comes to nothing after a question that was answered."""
    seconds = 0.0
    for verb in root:
        if verb.tag in ("Hangup", "Reject"):
            return None
        if verb.tag == "Gather" and verb.get("action"):
            return Question(
                seconds=seconds + _length(verb),
                timeout=_figure(verb, "timeout", GATHER_SECONDS),
                action=verb.get("action", ""),
                method=verb.get("method", "POST").upper(),
                digits=int(_figure(verb, "numDigits", 1.0)),
                tells_silence=verb.get("actionOnEmptyResult", "").lower() == "true",
            )
        seconds += _verb_seconds(verb)
    return None


def _connection(root: ET.Element) -> Connection | None:
    """Clients, queues and SIP addresses only hold the line."""
    seconds = 0.0
    for verb in root:
        if verb.tag in ("Hangup", "Reject", "Gather", "Record"):
            return None
        if verb.tag == "Dial":
            return _dialled(verb, seconds)
        seconds += _verb_seconds(verb)
    return None


def _dialled(dial: ET.Element, seconds: float) -> Connection | None:
    number = dial.find("Number")
    named = dial if number is None else number
    to = (named.text or "").strip()
    if not E164.fullmatch(to):
        return None
    return Connection(
        seconds=seconds,
        to=to,
        caller_id=dial.get("callerId", ""),
        timeout=_figure(dial, "timeout", DIAL_RINGS),
        time_limit=_figure(dial, "timeLimit", UNTIL_HANGUP),
        action=dial.get("action", ""),
        method=dial.get("method", "POST").upper(),
        callback=_attribute(number, "statusCallback"),
        callback_method=_attribute(number, "statusCallbackMethod") or "POST",
        events=_attribute(number, "statusCallbackEvent") or "completed",
    )


def _length(parent: ET.Element) -> float:
    seconds = 0.0
    for verb in parent:
        if verb.tag in ("Hangup", "Reject"):
            break
        seconds += _verb_seconds(verb)
    return seconds


def _verb_seconds(verb: ET.Element) -> float:
    if verb.tag == "Say":
        return _times(verb) * len(_said(verb)) * SECONDS_PER_CHARACTER
    if verb.tag == "Play":
        return _times(verb) * PLAY_SECONDS
    if verb.tag == "Pause":
        return _figure(verb, "length", 1.0)
    if verb.tag == "Gather":
        return _length(verb) + _figure(verb, "timeout", GATHER_SECONDS)
    if verb.tag == "Record":
        return _figure(verb, "maxLength", RECORD_SECONDS)
    return UNTIL_HANGUP if verb.tag in HOLDING else 0.0


def _said(verb: ET.Element) -> str:
    return " ".join("".join(verb.itertext()).split())


def _times(verb: ET.Element) -> float:
    """`loop="0"` means until somebody hangs up."""
    loop = _figure(verb, "loop", 1.0)
    return loop or UNTIL_HANGUP


def _figure(verb: ET.Element, name: str, usual: float) -> float:
    try:
        return max(0.0, float(verb.get(name, usual)))
    except ValueError:
        return usual


def _attribute(verb: ET.Element | None, name: str) -> str:
    return "" if verb is None else verb.get(name, "")
