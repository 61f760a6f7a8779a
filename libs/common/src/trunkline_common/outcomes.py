"""How a delivery may end, and the one function that decides it.

TrunklineError
├── TryLater      the world is not ready: a provider is down, a row is locked
└── Refuse        this message can never succeed: unknown business, illegal state
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


class TrunklineError(Exception):
    """Anything that Trunkline's own code raises on purpose."""


class TryLater(TrunklineError):
    """The world is not ready. Costs one attempt."""


class Refuse(TrunklineError):
    """This message can never succeed. Costs no attempt: it goes to the dead queue now."""


@dataclass(frozen=True, slots=True)
class Done:
    """Acknowledge it."""


@dataclass(frozen=True, slots=True)
class RetryIn:
    """Park it on the ladder's queue of this many seconds."""

    seconds: int
    reason: str


@dataclass(frozen=True, slots=True)
class Dead:
    """Park it on the dead queue, for a person."""

    reason: str


Settlement = Done | RetryIn | Dead


def settle(
    error: Exception | None,
    *,
    attempt: int,
    retry_after: tuple[int, ...],
    told: Callable[[Exception], str] = str,
) -> Settlement:
    """Decide a delivery's fate. `attempt` counts from 1; `told` is what may be said of an error."""
    if error is None:
        return Done()
    reason = told(error) or type(error).__name__
    if isinstance(error, Refuse):
        return Dead(reason)
    if attempt > len(retry_after):
        return Dead(f"gave up after {attempt} attempts: {reason}")
    return RetryIn(retry_after[attempt - 1], reason=reason)
