"""The shortest that fails is found, whatever it consists of, and in how many plays."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.faults.shrink import shortest

WHOLE = list("abcdefgh")


@pytest.mark.parametrize("guilty", ["", "a", "h", "ce", "ah", "bdg", "abcdefgh"])
def test_what_is_guilty_is_left(guilty: str) -> None:
    assert shortest(WHOLE, lambda part: set(guilty) <= set(part), most=1000) == list(guilty)


@given(st.sets(st.integers(0, 11)), st.sets(st.integers(0, 11)))
def test_nothing_can_be_left_out_of_it(one: set[int], other: set[int]) -> None:
    """Two reasons, either of which is enough: one is found, and no more."""

    def fails(part: Sequence[int]) -> bool:
        return one <= set(part) or other <= set(part)

    found = shortest(range(12), fails, most=1000)

    assert fails(found)
    assert found == sorted(found)
    assert not any(fails([one for one in found if one != left]) for left in found)


def test_it_is_played_so_often_and_no_part_twice() -> None:
    played: list[str] = []

    def fails(part: Sequence[str]) -> bool:
        played.append("".join(part))
        return {"c", "e"} <= set(part)

    assert shortest(WHOLE, fails, most=4) == list("abcdefgh")
    assert len(played) == 4
    shortest(WHOLE, fails, most=1000)
    assert len(set(played[4:])) == len(played[4:])
