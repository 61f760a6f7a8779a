"""How fast a run goes, and when it would end at that pace: from counts that outbound told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, NamedTuple

UNDER_WAY: Final = ("queued", "sending", "waiting", "in_doubt", "accepted")
MOVING: Final = frozenset({"running", "paused", "cancelling"})
WINDOW_SECONDS: Final = 60.0
STEP_SECONDS: Final = 5.0  # samples closer than this say nothing new
LEAST_SECONDS: Final = 2.0  # a rate over less is noise


class Sample(NamedTuple):
    """So many contacts' turns were over at this time, in seconds since 1970."""

    at: float
    ended: int


@dataclass(frozen=True, slots=True)
class Pace:
    """Contacts ended in a second, and the end at that pace; None where it cannot be known."""

    rate: float | None = None
    estimated_end: datetime | None = None


def ended_of(states: Mapping[str, int]) -> int:
    """How many turns are over. A state that is new to us is final."""
    return sum(states.values()) - sum(states.get(state, 0) for state in UNDER_WAY)


def remember(samples: Sequence[Sample], new: Sample) -> list[Sample]:
    """The samples that the pace needs from now on: about twelve, whatever order they come in."""
    known = dict(sorted({*samples, new}))  # of one time the higher count
    ordered = [Sample(at, ended) for at, ended in known.items()]
    newest = ordered[-1]
    kept: list[Sample] = []
    for sample in ordered[:-1]:
        if not kept or sample.at - kept[-1].at >= STEP_SECONDS:
            kept.append(sample)
    old = [sample for sample in kept if sample.at <= newest.at - WINDOW_SECONDS]
    return [*kept[max(len(old) - 1, 0) :], newest]


def pace(samples: Sequence[Sample], *, now: float, state: str, total: int | None) -> Pace:
    """The pace of the last minute up to now, or of as much of it as is known.

    The end is an honest guess for a run that goes on as it went: closed windows and later tries
    are not foreseen, and a run that ended nobody in that minute has none.
    """
    if state not in MOVING or not samples:
        return Pace()
    latest = samples[-1]
    now = max(now, latest.at)  # outbound's clock may be ahead of ours
    before = [sample for sample in samples if sample.at <= now - WINDOW_SECONDS]
    first = before[-1] if before else samples[0]
    seconds = now - max(first.at, now - WINDOW_SECONDS)
    if seconds < LEAST_SECONDS:
        return Pace()
    rate = max(latest.ended - first.ended, 0) / seconds
    if state != "running" or total is None or rate == 0:
        return Pace(round(rate, 3))
    left = max(total - latest.ended, 0) / rate
    return Pace(round(rate, 3), _moment(now + left))


def _moment(at: float) -> datetime | None:
    try:
        return datetime.fromtimestamp(round(at), UTC)
    except (OverflowError, ValueError):  # so slow that no calendar has the day
        return None
