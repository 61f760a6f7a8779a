"""How one try to fetch a recording ended, and what that means for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

FetchKind = Literal["stored", "later", "misconfigured", "released", "failed"]

_FIRST_WAIT = 1.0
_LONGEST_WAIT = 600.0


@dataclass(frozen=True, slots=True)
class Stored:
    """What lies in our storage, verified."""

    size: int
    sha256: str
    content_type: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """`released`: this process stops; somebody else may go on at once."""

    kind: FetchKind
    reason: str | None = None
    stored: Stored | None = None
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """Where a recording goes: `due` again in so many seconds, or to its end."""

    state: Literal["due", "stored", "failed"]
    due_in: float = 0.0
    counts: bool = True
    reason: str | None = None


def after(outcome: Outcome, *, tries: int, max_tries: int) -> Step:
    """What an outcome changes. `tries` counts from 1 and includes this one.

    Neither our configuration nor our own end is the recording's fault: they cost no try, and the
    channel itself is held while its credentials are wrong.
    """
    if outcome.kind == "stored":
        return Step("stored")
    if outcome.kind == "failed":
        return Step("failed", reason=outcome.reason)
    if outcome.kind in ("misconfigured", "released"):
        return Step("due", counts=False, reason=outcome.reason)
    if tries >= max_tries:
        return Step("failed", reason=f"gave up after {tries} tries: {outcome.reason}")
    wait = backoff(tries) if outcome.retry_after is None else outcome.retry_after
    return Step("due", due_in=min(max(wait, _FIRST_WAIT), _LONGEST_WAIT), reason=outcome.reason)


def backoff(tries: int) -> float:
    """Seconds to wait after so many tries without success."""
    return min(_FIRST_WAIT * 2.0 ** min(max(tries - 1, 0), 16), _LONGEST_WAIT)
