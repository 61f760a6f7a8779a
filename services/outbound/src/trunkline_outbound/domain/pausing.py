"""Whether so many of a run's contacts failed that it had better stop by itself. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Brake:
    """Stop at this share (above 0, at most 1) of these outcomes, of at least `minimum` ends."""

    share: float
    minimum: int
    outcomes: Collection[str]


def ends_of(states: Mapping[str, int], outcomes: Mapping[str, int]) -> dict[str, int]:
    """Contacts who were tried and whose turn is over, by outcome; `unknown` is one of them."""
    unknown = states.get("unknown", 0)
    return {**outcomes, **({"unknown": unknown} if unknown else {})}


def reason_to_pause(ends: Mapping[str, int], before: Mapping[str, int], brake: Brake) -> str | None:
    """Why a run should pause; None if it should not.

    Of all ends since the start, or since the last resume: those of `before` it are not counted.
    """
    since = {outcome: max(n - before.get(outcome, 0), 0) for outcome, n in ends.items()}
    ended = sum(since.values())
    failed = sum(since.get(outcome, 0) for outcome in sorted(set(brake.outcomes)))
    if failed == 0 or ended < brake.minimum or failed < brake.share * ended:
        return None
    return f"auto_pause: {failed} of {ended} ended {' or '.join(sorted(set(brake.outcomes)))}"
