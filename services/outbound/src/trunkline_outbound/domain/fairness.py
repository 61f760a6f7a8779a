"""Whose turn it is, and for how much: deficit round robin over businesses.

No clock and no dice: what a standing does not hold is passed in.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

_NOBODY: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Standing:
    """How much each business may still be served in this round; below zero it has had more.

    `last` is where the round stands: businesses take turns in the order of their ids.
    """

    last: str = ""
    credit: Mapping[str, float] = field(default_factory=dict)


def choose(
    standing: Standing,
    waiting: Collection[str],
    *,
    quantum: float,
    weights: Mapping[str, float] = _NOBODY,
) -> Standing:
    """The standing after the choice of one of those who wait; its `last` is the chosen one.

    Each visit of the round is worth `quantum` times the weight (1 unless told). Whoever has credit
    left goes on; else the round moves to the first who has some. What was served is charged
    afterwards, so a debt is borne and worked off; nobody saves credit by not coming.
    """
    if standing.last in waiting and standing.credit.get(standing.last, 0.0) > 0:
        return standing
    ring = sorted(waiting, key=lambda business: (business <= standing.last, business))
    worth = {b: quantum * weights.get(b, 1.0) for b in (*ring, *standing.credit)}
    visits = {b: _visits(standing.credit.get(b, 0.0), worth[b]) for b in ring}
    chosen = min(ring, key=lambda business: visits[business])  # the first in the ring, if equal
    rounds = visits[chosen]
    credit = {b: min(0.0, c + rounds * worth[b]) for b, c in standing.credit.items()}
    for place, business in enumerate(ring):
        visited = rounds if place <= ring.index(chosen) else rounds - 1
        credit[business] = standing.credit.get(business, 0.0) + visited * worth[business]
    return Standing(chosen, {b: c for b, c in credit.items() if c != 0.0})


def _visits(credit: float, worth: float) -> int:
    """How many visits it takes until there is credit."""
    return max(1, math.floor(-credit / worth) + 1)


def charge(standing: Standing, business: str, served: float) -> Standing:
    """The standing after a business was served so much; less than nothing gives it back."""
    credit = {**standing.credit, business: standing.credit.get(business, 0.0) - served}
    return Standing(standing.last, credit)


def fair_share(places: int, businesses: int) -> int:
    """How many places each may hold while all of them have work; never none."""
    return max(1, places // max(1, businesses))


def claim_size(*, most: int, per_second: float | None, seconds: float, room: int | None) -> int:
    """What can be sent in so many seconds at this pace and in this room: 1 … `most`, 0 roomless."""
    paced = most if per_second is None else max(1, math.floor(per_second * seconds))
    return max(0, min(most, paced, most if room is None else room))
