"""The shortest that still fails: delta debugging over what was struck."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TypeVar

T = TypeVar("T")


def shortest(whole: Sequence[T], fails: Callable[[Sequence[T]], bool], *, most: int) -> list[T]:
    """A part of `whole`, which failed, that fails still and of which nothing can be left out.

    Parts are played at most `most` times, none of them twice; then the shortest so far is told.
    """
    known: dict[tuple[int, ...], bool] = {}

    def still(places: Sequence[int]) -> bool:
        key = tuple(places)
        if key not in known and len(known) < most:
            known[key] = fails([whole[place] for place in places])
        return known.get(key, False)

    left = list(range(len(whole)))
    if still([]):
        return []
    parts = 2
    while len(left) >= 2:
        smaller = next((one for one in _smaller(left, parts) if still(one)), None)
        if smaller is not None:
            parts = 2 if len(smaller) <= len(left) // 2 else max(parts - 1, 2)
            left = smaller
        elif parts < len(left):
            parts = min(2 * parts, len(left))
        else:
            break
    return [whole[place] for place in left]


def _smaller(left: list[int], parts: int) -> list[list[int]]:
    """Each part alone, then all but each part."""
    bounds = [len(left) * at // parts for at in range(parts + 1)]
    spans = [left[a:b] for a, b in pairwise(bounds)]
    without = [[place for place in left if place not in span] for span in spans]
    return [*spans, *(without if parts > 2 else [])]
