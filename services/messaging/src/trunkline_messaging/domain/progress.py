"""How a message goes on after a result or a status: pure, so that any order gives one state."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from trunkline_messaging.domain.answers import Result

# The message shows the highest. Delivered beats failed: a second device may have failed.
DELIVERY_RANK: Final = {"sent": 1, "failed": 2, "delivered": 3, "read": 4}

_FIRST_WAIT: Final = 2.0
_LONGEST_WAIT: Final = 300.0


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a message stands: its request's state and number, and its delivery."""

    state: str
    number: int
    delivery: str | None = None
    provider_message_id: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """Where it goes. `due_in` seconds with `waiting`; a `delivery` of None leaves it as it is."""

    state: str
    delivery: str | None = None
    due_in: float | None = None
    provider_message_id: str | None = None
    code: str | None = None
    reason: str | None = None


def after_result(standing: Standing, number: int, result: Result) -> Step | None:
    """What the sender's own observation changes; None if it changes nothing.

    INVARIANT: a fact (the provider took it) is true whoever says it, and when. A decision counts
    only for the open request: the one with this number, while it is sending or in doubt.
    """
    if result.kind == "accepted":
        if standing.provider_message_id is not None:
            return None
        return Step("accepted", provider_message_id=result.provider_id)
    if standing.state not in ("sending", "in_doubt") or standing.number != number:
        return None
    if result.kind == "rejected":
        return Step("failed", code=result.code, reason=result.reason)
    if result.kind == "in_doubt":
        return Step("in_doubt", code=result.code, reason=result.reason)
    return Step("waiting", due_in=_wait(result, number), code=result.code, reason=result.reason)


def after_statuses(standing: Standing, statuses: Iterable[str], provider_id: str) -> Step | None:
    """What the provider's own words change: any of them proves that it took the message."""
    known = DELIVERY_RANK.get(standing.delivery or "", 0)
    best = max(statuses, key=lambda status: DELIVERY_RANK[status], default=None)
    if best is None:
        return None
    news = best if DELIVERY_RANK[best] > known else None
    if news is None and standing.state == "accepted":
        return None
    return Step("accepted", delivery=news, provider_message_id=provider_id)


def backoff(tries: int) -> float:
    """Seconds to wait after so many tries without success."""
    return min(_FIRST_WAIT * 2.0 ** min(max(tries - 1, 0), 16), _LONGEST_WAIT)


def _wait(result: Result, number: int) -> float:
    """The channel itself is held while its configuration is wrong, so the message need not be."""
    if result.kind == "misconfigured":
        return 0.0
    return backoff(number) if result.retry_after is None else result.retry_after
