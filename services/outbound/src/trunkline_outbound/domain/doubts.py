"""What a provider's list of calls says about an attempt whose answer was lost. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final, Literal

# Seconds after the doubt began at which the provider is asked; then every `AGAIN`.
ASKED_AT: Final = (2.0, 5.0, 15.0, 60.0)
AGAIN: Final = 60.0
_CLOCK_GRAIN: Final = timedelta(seconds=5)  # whole seconds on both sides, and a margin

WhenAbsent = Literal["never", "resend"]


@dataclass(frozen=True, slots=True)
class Seen:
    """A call in a listing: its id, and when it was made on the provider's clock."""

    provider_id: str
    created_at: datetime | None


@dataclass(frozen=True, slots=True)
class Question:
    """What is known of the attempt: its intent on our clock, and both clocks at the answer."""

    intent_at: datetime
    asked_at: datetime
    told_at: datetime | None
    is_past_grace: bool


@dataclass(frozen=True, slots=True)
class Found:
    """These calls are the attempt's: the first one, and any that should not be there."""

    provider_id: str
    surplus: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Absent:
    """The provider has no such call, and can have none any more."""


@dataclass(frozen=True, slots=True)
class AskAgain:
    """Not there, which proves nothing yet."""


Ruling = Found | Absent | AskAgain


def delays() -> list[float]:
    """Seconds from each look to the next one, the last of them repeating."""
    steps = [after - before for before, after in pairwise(ASKED_AT)]
    return [ASKED_AT[0], *steps, AGAIN]


def judge(question: Question, seen: Iterable[Seen], bound: AbstractSet[str]) -> Ruling:
    """Decide a doubt by one listing of the calls between its two numbers.

    `bound` are ids that belong to other attempts. Two numbers have one open attempt at a time, so
    whatever else was made since its intent is this attempt's. The provider's clock is compared
    with its own `Date`, never with ours.
    """
    skew = (question.told_at - question.asked_at) if question.told_at else timedelta()
    since = question.intent_at + skew - _CLOCK_GRAIN
    ours = sorted(
        (call.created_at, call.provider_id)
        for call in seen
        if call.provider_id not in bound and call.created_at and call.created_at >= since
    )
    if ours:
        return Found(ours[0][1], tuple(provider_id for _, provider_id in ours[1:]))
    return Absent() if question.is_past_grace else AskAgain()
