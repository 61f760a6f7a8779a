"""Ids sort by the time they were made at, so a month of runs is a range of ids."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

from trunkline_common.ids import RUN, first_id, is_id, new_id
from trunkline_outbound.domain.cohorts import is_past, months

OLD = datetime(2020, 2, 11, tzinfo=UTC)
LATER = datetime(2020, 3, 30, tzinfo=UTC)


def test_ids_sort_as_the_times_they_were_made_at() -> None:
    before = datetime.now(UTC) - timedelta(milliseconds=2)
    made = new_id(RUN)
    assert first_id(RUN, before) < made < first_id(RUN, before + timedelta(seconds=60))
    assert is_id((first_id(RUN, OLD) + "z" * 16), RUN)
    assert (
        first_id(RUN, OLD)
        <= (first_id(RUN, OLD) + "z" * 16)
        < first_id(RUN, OLD + timedelta(milliseconds=1))
    )
    assert first_id(RUN, OLD) + "z" * 16 < first_id(RUN, LATER)


def test_months_follow_each_other_without_a_gap() -> None:
    found = months(datetime(2026, 11, 30, 23, 59, tzinfo=UTC), ahead=14)
    assert [m.name for m in found[:3]] == ["2026_11", "2026_12", "2027_01"]
    assert all(one.upper_id == two.lower_id for one, two in itertools.pairwise(found))
    assert found[-1].name == "2028_01"


def test_a_month_is_past_when_its_last_run_is() -> None:
    [month] = months(OLD, ahead=0)
    assert not is_past(month.upper_id, now=datetime(2020, 3, 10, 23, tzinfo=UTC), keep_days=10)
    assert is_past(month.upper_id, now=datetime(2020, 3, 11, tzinfo=UTC), keep_days=10)
