"""Which number calls whom: sticky, least recently used, within each number's room."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline_outbound.domain.senders import (
    Beat,
    Sender,
    choose,
    day_of,
    departures,
    keep_within,
)

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def used(number: str, minutes_ago: int, room: int | None = None) -> Sender:
    return Sender(number, NOW - timedelta(minutes=minutes_ago), room)


def test_who_rested_longest_calls_and_who_never_called_goes_first() -> None:
    pool = [used("a", 1), used("b", 9), Sender("c")]
    assert choose(["1", "2", "3", "4"], pool, {}) == ["c", "b", "a", "c"]


def test_whoever_was_called_before_is_called_from_the_same_number_where_it_has_room() -> None:
    pool = [used("a", 1, 1), used("b", 9)]
    assert choose(["1", "2"], pool, {"1": "a", "2": "a"}) == ["a", "b"]
    assert choose(["1"], pool, {"1": "gone"}) == ["b"]


def test_without_room_nobody_calls() -> None:
    assert choose(["1", "2"], [Sender("a", None, 1)], {"2": "a"}) == ["a", None]
    assert keep_within(["a", "b", "a"], [Sender("a", None, 1), Sender("b", None, 0)]) == [0]


rooms = st.dictionaries(st.sampled_from("abcd"), st.none() | st.integers(0, 4), min_size=1)
people = st.lists(st.sampled_from(["1", "2", "3", "4", "5"]), max_size=12)
known = st.dictionaries(st.sampled_from(["1", "2", "3", "4", "5"]), st.sampled_from("abcdx"))


@given(rooms, people, known)
def test_no_number_gets_more_than_its_room_and_none_is_left_while_there_is_some(
    pool: dict[str, int | None], addresses: list[str], bonds: dict[str, str]
) -> None:
    senders = [Sender(number, None, room) for number, room in pool.items()]
    chosen = choose(addresses, senders, bonds)
    counts = Counter(number for number in chosen if number is not None)
    assert all(pool[n] is None or counts[n] <= (pool[n] or 0) for n in counts)
    if None in chosen:
        assert all(room is not None and counts[n] == room for n, room in pool.items())
    numbers = [number for number in chosen if number is not None]
    assert keep_within(numbers, senders) == list(range(len(numbers)))


def test_each_leaves_as_both_paces_say() -> None:
    account = Beat(0.0, 0.1)
    own = {"a": Beat(0.0, 1.0), "b": Beat(0.5, 1.0)}
    assert departures(["a", "b", "a", "c"], account, own) == pytest.approx([0.0, 0.5, 1.0, 0.3])


@pytest.mark.parametrize(
    ("zone", "day"),
    [
        (None, date(2026, 11, 23)),
        ("Pacific/Kiritimati", date(2026, 11, 24)),
        ("Nowhere/At_All", date(2026, 11, 23)),
    ],
)
def test_a_day_is_the_businesss_own(zone: str | None, day: date) -> None:
    assert day_of(NOW, zone) == day
