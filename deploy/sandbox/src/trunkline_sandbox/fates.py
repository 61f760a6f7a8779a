"""How a call or a message will go: a pure function of the seed, the address and the attempt."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from types import MappingProxyType
from typing import Literal, TypeVar, get_args

Outcome = Literal["answered", "machine", "no-answer", "busy", "failed"]
Journey = Literal["read", "delivered", "sent", "failed"]

T = TypeVar("T", bound=str)

OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)

# Shares of a hundred: what a list of private mobile numbers gave in the middle of a working day.
USUAL_MIX: Mapping[Outcome, float] = MappingProxyType(
    {"answered": 62.0, "no-answer": 18.0, "busy": 12.0, "failed": 5.0, "machine": 3.0}
)
USUAL_JOURNEYS: Mapping[Journey, float] = MappingProxyType(
    {"read": 57.0, "delivered": 36.0, "sent": 2.0, "failed": 5.0}
)

# The last five digits of an address order its fate, whatever seed and mix say.
MAGIC_CALLS: Mapping[str, Outcome] = MappingProxyType(
    {
        "00001": "answered",
        "00002": "busy",
        "00003": "no-answer",
        "00004": "failed",
        "00005": "machine",
    }
)
MAGIC_MESSAGES: Mapping[str, Journey] = MappingProxyType(
    {"00001": "read", "00002": "delivered", "00003": "sent", "00004": "failed"}
)

# Who answers and presses a key, the last digit, at whatever asks for keys.
PRESSES = re.compile(r"9100([0-9])$")
PATIENT_SECONDS = 600.0

SIP_FAILURES = (404, 480, 484, 503, 603)
PROVIDER_RING_LIMIT = 600.0


@dataclass(frozen=True, slots=True)
class CallFate:
    """What the called person's phone does. Seconds are simulated ones, before `speed`."""

    outcome: Outcome
    ring_seconds: float
    talk_seconds: float
    sip_code: int
    keys: str = ""

    @property
    def picks_up(self) -> bool:
        return self.outcome in ("answered", "machine")


@dataclass(frozen=True, slots=True)
class MessageFate:
    """How far a message gets, and the seconds between its statuses."""

    journey: Journey
    delays: tuple[float, float, float]


def call_fate(
    seed: int, to: str, nth: int = 0, mix: Mapping[Outcome, float] = USUAL_MIX
) -> CallFate:
    """The fate of the `nth` accepted call (from 0) to an address."""
    dice = _dice(f"call:{seed}:{to}:{nth}")
    presses = PRESSES.search(to)
    outcome = "answered" if presses else MAGIC_CALLS.get(to[-5:]) or _pick(mix, dice[0])
    ring = 3.0 + 22.0 * dice[1]
    if outcome == "busy":
        ring = 1.0 + 3.0 * dice[1]
    if outcome == "no-answer":
        ring = PROVIDER_RING_LIMIT
    return CallFate(
        outcome=outcome,
        ring_seconds=ring,
        talk_seconds=PATIENT_SECONDS if presses else 5.0 + 55.0 * dice[2],
        sip_code=SIP_FAILURES[int(dice[3] * len(SIP_FAILURES))],
        keys=presses.group(1) if presses else "",
    )


def message_fate(seed: int, to: str, nth: int = 0) -> MessageFate:
    """The fate of the `nth` accepted message (from 0) to an address."""
    dice = _dice(f"message:{seed}:{to}:{nth}")
    journey = MAGIC_MESSAGES.get(to[-5:]) or _pick(USUAL_JOURNEYS, dice[0])
    delays = (0.5 + dice[1], 0.5 + 4.5 * dice[2], 5.0 + 55.0 * dice[3])
    return MessageFate(journey=journey, delays=delays)


def parse_mix(text: str) -> Mapping[Outcome, float]:
    """Read `answered=62,busy=12,...`; what is not named has no share."""
    mix: dict[Outcome, float] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        name, _, share = part.partition("=")
        outcome = next((known for known in OUTCOMES if known == name.strip()), None)
        if outcome is None:
            raise ValueError(f"no outcome {name.strip()!r}; known: {', '.join(OUTCOMES)}")
        mix[outcome] = float(share)
    if not mix or min(mix.values()) < 0 or sum(mix.values()) <= 0:
        raise ValueError("an outcome mix needs at least one positive share")
    return MappingProxyType(mix)


def _pick(mix: Mapping[T, float], die: float) -> T:
    mark = die * sum(mix.values())
    chosen = next(iter(mix))
    for name, share in mix.items():
        if share <= 0:
            continue
        chosen = name
        if mark < share:
            break
        mark -= share
    return chosen


def _dice(text: str) -> tuple[float, float, float, float]:
    digest = blake2b(text.encode(), digest_size=32).digest()
    a, b, c, d = (int.from_bytes(digest[i : i + 8]) / 2**64 for i in (0, 8, 16, 24))
    return a, b, c, d
