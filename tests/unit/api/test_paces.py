"""How fast a run goes: from samples in any order, over a minute, and never more than is known."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import permutations

import pytest

from trunkline_api.domain.paces import Pace, Sample, ended_of, pace, remember

T = datetime(2026, 11, 23, 10, tzinfo=UTC).timestamp()


def samples(*counts: tuple[float, int]) -> list[Sample]:
    return [Sample(T + seconds, ended) for seconds, ended in counts]


def moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(T + seconds, UTC)


@pytest.mark.parametrize(
    ("counts", "now", "state", "total", "expected"),
    [
        ([], 10, "running", 100, Pace()),
        ([(0, 0)], 1, "running", 100, Pace()),  # too early to say
        ([(0, 0)], 10, "running", 100, Pace(0.0)),  # nobody yet: no end
        ([(0, 0), (10, 20)], 10, "running", 100, Pace(2.0, moment(50))),
        ([(0, 0), (10, 20)], 20, "running", 100, Pace(1.0, moment(100))),  # no news: slower
        ([(0, 0), (10, 20)], 10, "paused", 100, Pace(2.0)),
        ([(0, 0), (10, 20)], 10, "cancelling", 100, Pace(2.0)),
        ([(0, 0), (10, 20)], 10, "completed", 100, Pace()),
        ([(0, 0), (10, 20)], 10, "draft", 100, Pace()),
        ([(0, 0), (10, 20)], 10, "running", None, Pace(2.0)),
        ([(0, 0), (10, 100)], 10, "running", 100, Pace(10.0, moment(10))),
        ([(0, 0), (40, 40), (100, 160)], 100, "running", 760, Pace(2.0, moment(400))),
        ([(0, 0), (10, 20)], 100, "running", 100, Pace(0.0)),  # nobody in the last minute
        ([(0, 0), (10, 20)], 5, "running", 100, Pace(2.0, moment(50))),  # a clock behind theirs
        ([(0, 30), (10, 20)], 10, "running", 100, Pace(0.0)),  # corrected downwards
        ([(0, 0), (30, 1)], 30, "running", 10**18, Pace(0.033)),  # no calendar has that day
    ],
)
def test_pace(
    counts: list[tuple[float, int]], now: float, state: str, total: int | None, expected: Pace
) -> None:
    assert pace(samples(*counts), now=T + now, state=state, total=total) == expected


def test_samples_may_come_in_any_order_and_twice() -> None:
    for order in permutations(samples((0, 0), (10, 5), (20, 9), (30, 9))):
        kept: list[Sample] = []
        for sample in (*order, order[0]):
            kept = remember(kept, sample)
        assert kept == samples((0, 0), (10, 5), (20, 9), (30, 9))


def test_few_samples_are_kept_and_those_tell_of_a_minute() -> None:
    kept: list[Sample] = []
    for second in range(1000):
        kept = remember(kept, Sample(T + second, 3 * second))
        assert len(kept) <= 15
    assert pace(kept, now=T + 999, state="running", total=6000).rate == pytest.approx(3.0, rel=0.1)


def test_what_is_new_to_us_is_over() -> None:
    assert ended_of({"queued": 3, "waiting": 1, "done": 2, "retired": 4}) == 6
