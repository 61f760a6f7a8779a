"""Deficit round robin: everybody in turn, by weight, and by what was served rather than asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline_outbound.domain.fairness import Standing, charge, choose, claim_size, fair_share


def served(
    costs: Mapping[str, float],
    *,
    turns: int,
    weights: Mapping[str, float] | None = None,
    start: Standing | None = None,
) -> Counter[str]:
    """How much each got after so many turns, when all wait all the time."""
    standing, totals = start or Standing(), Counter[str]()
    for _ in range(turns):
        standing = choose(standing, costs, quantum=50, weights=weights or {})
        totals[standing.last] += costs[standing.last]  # type: ignore[assignment]  # amounts
        standing = charge(standing, standing.last, costs[standing.last])
    return totals


def order(next_cost: Callable[[str], float], waiting: set[str], turns: int) -> list[str]:
    standing, chosen = Standing(), []
    for _ in range(turns):
        standing = choose(standing, waiting, quantum=50)
        chosen.append(standing.last)
        standing = charge(standing, standing.last, next_cost(standing.last))
    return chosen


def test_equals_take_turns() -> None:
    assert order(lambda _: 50, {"a", "b", "c"}, 6) == ["a", "b", "c", "a", "b", "c"]


def test_who_takes_much_at_a_time_waits_for_the_others_to_catch_up() -> None:
    totals = served({"a": 200, "b": 10}, turns=500)
    assert totals["a"] == pytest.approx(totals["b"], rel=0.1)


def test_a_weight_is_a_share() -> None:
    totals = served({"a": 50, "b": 50}, turns=400, weights={"a": 3})
    assert totals["a"] == pytest.approx(3 * totals["b"], rel=0.05)


@pytest.mark.parametrize("handful", [1, 2, 5, 10])
@pytest.mark.parametrize("had", [0, 50, 1_000_000])
def test_a_million_jobs_delay_anothers_ten_by_at_most_twice(handful: int, had: int) -> None:
    """In turns: alone the ten take one for each handful; the large one serves 50 in each of its."""
    standing = charge(choose(Standing(), {"large"}, quantum=50), "large", had)
    turns, left = 0, 10
    while left:
        standing = choose(standing, {"large", "small"}, quantum=50)
        served_now = min(handful, left) if standing.last == "small" else 50
        standing = charge(standing, standing.last, served_now)
        left -= served_now if standing.last == "small" else 0
        turns += 1
    assert turns <= 2 * (10 // handful)


def test_a_newcomer_is_served_next_whatever_the_other_has_had() -> None:
    standing = Standing()
    for _ in range(1_000):  # alone: nobody else is kept waiting, so it is always its turn
        standing = charge(choose(standing, {"a"}, quantum=50), "a", 200)
    assert choose(standing, {"a", "b"}, quantum=50).last == "b"


def test_who_did_not_come_has_neither_saved_credit_nor_kept_its_debt() -> None:
    standing = charge(choose(Standing(), {"b"}, quantum=50), "b", 200)
    for _ in range(20):
        standing = charge(choose(standing, {"a"}, quantum=50), "a", 50)
    after = choose(standing, {"a", "b"}, quantum=50)
    assert after.last == "b"
    assert after.credit["b"] == 50


def test_the_round_begins_where_the_dice_say() -> None:
    assert choose(Standing(last="b"), {"a", "b", "c"}, quantum=50).last == "c"
    assert choose(Standing(last="x"), {"a", "b", "c"}, quantum=50).last == "a"


def test_what_was_charged_and_not_used_comes_back() -> None:
    standing = charge(charge(Standing(), "a", 200), "a", -150)
    assert standing.credit == {"a": -50}


@given(
    st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 500), min_size=1),
    st.dictionaries(st.sampled_from("abcdef"), st.floats(-1_000, 50)),
)
def test_the_chosen_one_waited_and_has_credit(
    costs: dict[str, int], credit: dict[str, float]
) -> None:
    after = choose(Standing("c", credit), costs, quantum=50)
    assert after.last in costs
    assert after.credit[after.last] > 0


@given(st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 500), min_size=2))
def test_all_get_the_same_within_one_turn_of_each(costs: dict[str, int]) -> None:
    totals = served(dict(costs), turns=2_000)
    assert max(totals.values()) - min(totals.values()) <= 2 * (50 + max(costs.values()))


@pytest.mark.parametrize(
    ("places", "businesses", "share"), [(4, 1, 4), (4, 2, 2), (4, 3, 1), (4, 9, 1), (4, 0, 4)]
)
def test_places_are_shared(places: int, businesses: int, share: int) -> None:
    assert fair_share(places, businesses) == share


@pytest.mark.parametrize(
    ("per_second", "room", "size"),
    [
        (None, None, 200),
        (1.0, None, 15),
        (1.0, 3, 3),
        (0.001, None, 1),
        (1000.0, 1000, 200),
        (30.0, 0, 0),
        (30.0, -2, 0),
    ],
)
def test_a_claim_is_what_half_a_lease_can_send(
    per_second: float | None, room: int | None, size: int
) -> None:
    assert claim_size(most=200, per_second=per_second, seconds=15, room=room) == size
