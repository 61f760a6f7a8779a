"""What whoever picked up does: is it a machine, and which keys does it press. No I/O."""

from dataclasses import dataclass

from trunkline_sandbox.voice.calls import Call
from trunkline_sandbox.voice.script import Question

KEY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Heard:
    """What comes of a question after some seconds, and who is told."""

    seconds: float
    pressed: dict[str, str]
    action: str
    method: str


def answer_of(call: Call, asked: Question | None, patience: float) -> Heard | None:
    """Keys or silence; None if nothing is asked, nobody is to be told, or nobody waits for it."""
    if asked is None:
        return None
    keys = call.fate.keys * asked.digits
    seconds = asked.seconds + (KEY_SECONDS if keys else asked.timeout)
    if seconds > patience or not (keys or asked.tells_silence):
        return None
    return Heard(seconds, {"Digits": keys} if keys else {}, asked.action, asked.method)


def answered_by(call: Call) -> str:
    """What detection says, once it has listened."""
    if call.fate.outcome != "machine":
        return "human"
    return (
        "machine_end_beep"
        if call.order.machine_detection == "DetectMessageEnd"
        else ("machine_start")
    )
