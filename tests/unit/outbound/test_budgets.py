"""A contact's budget: no window of its length ever has more touches in it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline_outbound.domain.admission import JobFacts, NotBefore, Rules, SendNow, admit
from trunkline_outbound.domain.budgets import Budget, free_at

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
WEEK = Budget(3, timedelta(days=7))
DAY = timedelta(days=1)


def ago(*days: float) -> list[datetime]:
    return [NOW - DAY * each for each in days]


@pytest.mark.parametrize(
    ("touches", "expected"),
    [
        ([], NOW),
        (ago(1, 2), NOW),
        (ago(1, 2, 3), NOW + 4 * DAY),  # the oldest of three leaves the window
        (ago(3, 1, 2), NOW + 4 * DAY),  # whatever order they come in
        (ago(1, 2, 7), NOW),  # as old as the window: out of it
        (ago(1, 2, 3, 4, 5), NOW + 4 * DAY),  # the budget was lowered: two more have to leave
        (ago(0, 0, 0), NOW + 7 * DAY),
    ],
)
def test_a_touch_is_free_when_enough_old_ones_have_left(
    touches: list[datetime], expected: datetime
) -> None:
    assert free_at(touches, WEEK, NOW) == expected


def test_the_gate_says_when_and_by_which_rule() -> None:
    job = JobFacts(1, "+972501234567", 0, touches=ago(1, 2, 3))
    answer = admit(job, Rules(budget=WEEK), now=NOW)
    assert answer == NotBefore(NOW + 4 * DAY, "contact_budget")
    assert admit(job, Rules(), now=NOW) == SendNow()
    assert admit(job, Rules(budget=WEEK), now=NOW + 4 * DAY) == SendNow()


seconds = st.integers(0, 3_000)


@given(st.lists(seconds, max_size=30), st.integers(1, 5), st.integers(1, 500))
def test_no_window_has_more_than_its_budget(wishes: list[int], most: int, window: int) -> None:
    """Each wish in its turn is granted at the earliest time that the budget says."""
    budget = Budget(most, timedelta(seconds=window))
    touches: list[datetime] = []
    now = NOW
    for wish in sorted(wishes):
        now = max(now, NOW + timedelta(seconds=wish))
        at = free_at(touches, budget, now)
        assert at >= now
        if at > now:  # a moment sooner it is not free yet
            assert free_at(touches, budget, at - timedelta(microseconds=1)) > now
            assert free_at(touches, budget, at) == at
        touches.append(at)
        now = at
    for at in touches:
        assert sum(at - budget.window < other <= at for other in touches) <= most
