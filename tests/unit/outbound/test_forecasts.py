"""Forecasts: counts that say what the gate would say, and an end that the pace allows."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline_outbound.domain.admission import (
    JobFacts,
    NotBefore,
    Rules,
    SendNow,
    Skip,
    admit,
)
from trunkline_outbound.domain.forecasts import FARTHEST, Outlook, Person, Quota, Tally, foresee
from trunkline_outbound.domain.windows import Window

EVERY_DAY = frozenset(range(1, 8))
NINE_TO_EIGHT = Window(time(9), time(20), EVERY_DAY)
NEVER = Window(time(9), time(20), EVERY_DAY, frozenset({date(2026, 1, 1)}))
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)  # a Tuesday

PEOPLE = st.builds(
    Person,
    address=st.sampled_from(["+4917112345", "+12025550001", "+88212345678", "0171 1"]),
    zone=st.sampled_from([None, "Europe/Berlin", "Asia/Tokyo", "America/New_York", "Mars/Olympus"]),
    suppressed_by=st.sampled_from([None, None, None, "address", "prefix", "contact"]),
)
WINDOWS = st.sampled_from([None, NINE_TO_EIGHT, Window(time(0), time(0, 1), frozenset())])
ZONES = st.sampled_from([None, "Europe/Berlin", "Etc/Nowhere"])


@given(st.lists(PEOPLE, max_size=30), WINDOWS, ZONES, st.integers(0, 23))
def test_the_counts_are_what_the_gate_would_say(
    people: list[Person], window: Window | None, business_zone: str | None, hour: int
) -> None:
    at = NOON.replace(hour=hour)
    tally = Tally()
    for person in people:
        tally.add(person, windowed=window is not None, business_zone=business_zone)
    outlook = foresee(tally.zones, window, per_second=1.0, at=at)
    said: Counter[str] = Counter()
    for seq, person in enumerate(people):
        facts = JobFacts(seq, person.address, 0, person.zone, person.suppressed_by)
        match admit(facts, Rules(True, window, business_zone), now=at):
            case SendNow():
                said["open"] += 1
            case NotBefore(_, rule) | Skip(rule):
                said[rule] += 1
    assert said["open"] == outlook.open
    assert said["outside_window"] == outlook.outside
    assert said["window_never_opens"] == outlook.never_opens
    assert said["zone_unknown"] == tally.zone_unknown
    assert said["address_not_e164"] == tally.invalid
    assert {f"suppressed_{kind}": n for kind, n in tally.suppressed.items()} == {
        rule: n for rule, n in said.items() if rule.startswith("suppressed_")
    }
    parts = outlook.open + outlook.outside + outlook.never_opens + tally.zone_unknown
    assert tally.contacts == len(people) == parts + tally.invalid + sum(tally.suppressed.values())


@pytest.mark.parametrize(
    ("zones", "per_second", "at", "ends"),
    [
        ({"": 11}, 1.0, NOON, NOON + timedelta(seconds=10)),
        ({"Europe/Berlin": 11}, 0.5, NOON, NOON + timedelta(seconds=20)),
        ({"Europe/Berlin": 11}, None, NOON, NOON),
        # 7 h remain today (13:00 to 20:00 in Berlin): 25,201 leave; the rest from 9:00 tomorrow.
        ({"Europe/Berlin": 26_000}, 1.0, NOON, datetime(2026, 11, 25, 8, 13, 19, tzinfo=UTC)),
        # Tokyo opens at midnight UTC, when Berlin is long done.
        ({"Europe/Berlin": 10, "Asia/Tokyo": 61}, 1.0, NOON,
         datetime(2026, 11, 25, 0, 1, 0, tzinfo=UTC)),
        ({"Asia/Tokyo": 5}, None, NOON, datetime(2026, 11, 25, tzinfo=UTC)),
        # Where a number may be in both, both must be open: 14:00 to 19:00 UTC.
        ({"Europe/Berlin,America/New_York": 2}, 1.0, NOON,
         datetime(2026, 11, 24, 14, 0, 1, tzinfo=UTC)),
        ({}, 1.0, NOON, NOON),
    ],
    ids=lambda value: str(value)[:40],
)  # fmt: skip
def test_the_end_is_where_the_pace_and_the_windows_put_it(
    zones: dict[str, int], per_second: float | None, at: datetime, ends: datetime
) -> None:
    window = None if "" in zones else NINE_TO_EIGHT
    found = foresee(zones, window, per_second=per_second, at=at).ends_at
    assert found is not None
    assert abs(found - ends) <= timedelta(seconds=1)


def test_who_closes_first_is_taken_first() -> None:
    """At 19:00 in Berlin an hour is left there; New York has the afternoon."""
    at = datetime(2026, 11, 24, 18, tzinfo=UTC)
    zones = {"America/New_York": 3_600, "Europe/Berlin": 3_600}
    ends_at = foresee(zones, NINE_TO_EIGHT, per_second=1.0, at=at).ends_at
    assert ends_at is not None
    assert abs(ends_at - (at + timedelta(hours=2))) <= timedelta(seconds=1)


@pytest.mark.parametrize("window", [None, NINE_TO_EIGHT])
def test_what_lies_too_far_away_is_only_said_to_be_later(window: Window | None) -> None:
    zones = {"" if window is None else "Europe/Berlin": 1_000_000}
    outlook = foresee(zones, window, per_second=0.01, at=NOON)
    assert (outlook.ends_at, outlook.ends_after) == (None, NOON + FARTHEST)


def test_a_window_that_never_opens_has_no_end_and_no_opening() -> None:
    shut = Window(time(9), time(20), frozenset())
    outlook = foresee({"Europe/Berlin": 4}, shut, per_second=1.0, at=NOON)
    assert outlook == Outlook(0, 0, 4, None, NOON)


BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("zones", "per_second", "quota", "ends"),
    [
        # What fits into the day is the pace's alone.
        ({"": 11}, 1.0, Quota(20, 11, BERLIN), NOON + timedelta(seconds=10)),
        # The twelfth waits for midnight in Berlin, and the rest for the midnights after it.
        ({"": 12}, 1.0, Quota(20, 11, BERLIN), datetime(2026, 11, 24, 23, tzinfo=UTC)),
        ({"": 51}, None, Quota(20, 11, BERLIN), datetime(2026, 11, 25, 23, tzinfo=UTC)),
        ({"": 5}, 1.0, Quota(5, 0, ZoneInfo("UTC")), datetime(2026, 11, 25, 0, 0, 4, tzinfo=UTC)),
        # In a window the days begin with it.
        ({"Europe/Berlin": 30}, 1.0, Quota(20, 11, BERLIN),
         datetime(2026, 11, 25, 8, 0, 19, tzinfo=UTC)),
        ({"Europe/Berlin": 30}, None, Quota(20, 11, BERLIN),
         datetime(2026, 11, 25, 8, tzinfo=UTC)),
    ],
    ids=lambda value: str(value)[:40],
)  # fmt: skip
def test_calls_a_day_put_the_end_on_later_days(
    zones: dict[str, int], per_second: float | None, quota: Quota, ends: datetime
) -> None:
    window = None if "" in zones else NINE_TO_EIGHT
    found = foresee(zones, window, per_second=per_second, at=NOON, quota=quota).ends_at
    assert found is not None
    assert abs(found - ends) <= timedelta(seconds=1)


@pytest.mark.parametrize("window", [None, NINE_TO_EIGHT])
def test_with_no_calls_a_day_there_is_no_end(window: Window | None) -> None:
    zones = {"" if window is None else "Europe/Berlin": 1}
    outlook = foresee(zones, window, per_second=1.0, at=NOON, quota=Quota(0, 0, BERLIN))
    assert (outlook.ends_at, outlook.ends_after) == (None, NOON + FARTHEST)
