"""Calling windows: on the contact's own wall clock, through summer time, and closed when unsure."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline_outbound.domain.windows import Window, opening_everywhere, zones_of

EVERY_DAY = frozenset(range(1, 8))
WORKDAYS = frozenset(range(1, 6))
OFFICE = Window(time(9), time(20), WORKDAYS)
ZONES = ["Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Pacific/Apia", "Africa/Cairo"]


def at(text: str, zone: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


@pytest.mark.parametrize(
    ("now", "zone", "expected"),
    [
        ("2026-11-24T09:00", "Europe/Berlin", "2026-11-24T09:00"),
        ("2026-11-24T08:59", "Europe/Berlin", "2026-11-24T09:00"),
        ("2026-11-24T19:59", "Europe/Berlin", "2026-11-24T19:59"),
        ("2026-11-24T20:00", "Europe/Berlin", "2026-11-25T09:00"),
        ("2026-11-27T20:00", "Europe/Berlin", "2026-11-30T09:00"),  # over a weekend
        ("2026-11-28T12:00", "Asia/Kathmandu", "2026-11-30T09:00"),
        ("2026-03-27T21:00", "Europe/Berlin", "2026-03-30T09:00"),  # summer time in between
    ],
)
def test_it_opens_on_the_wall_clock(now: str, zone: str, expected: str) -> None:
    assert OFFICE.opening(at(now, zone), ZoneInfo(zone)) == at(expected, zone)


def test_an_opening_in_the_gap_of_summer_time_is_at_its_end() -> None:
    window = Window(time(2, 30), time(5), EVERY_DAY)
    opening = window.opening(at("2026-03-29T00:00", "Europe/Berlin"), ZoneInfo("Europe/Berlin"))
    assert opening == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)  # 02:30 is 03:30 on that day
    assert window.is_open(opening.astimezone(ZoneInfo("Europe/Berlin")))


def test_an_hour_that_comes_twice_is_open_twice() -> None:
    window = Window(time(2), time(3), EVERY_DAY)
    zone = ZoneInfo("Europe/Berlin")
    for hour in (0, 1):  # 02:30 in summer time, and again in winter time
        moment = datetime(2026, 10, 25, hour, 30, tzinfo=UTC)
        assert window.opening(moment, zone) == moment


def test_holidays_are_passed_over() -> None:
    window = Window(time(9), time(20), WORKDAYS, frozenset({date(2026, 12, 25)}))
    zone = ZoneInfo("Europe/Berlin")
    opening = window.opening(at("2026-12-24T21:00", "Europe/Berlin"), zone)
    assert opening == at("2026-12-28T09:00", "Europe/Berlin")


def test_a_window_that_never_opens_says_so() -> None:
    zone, now = ZoneInfo("UTC"), datetime(2026, 1, 1, tzinfo=UTC)
    assert Window(time(9), time(20), frozenset()).opening(now, zone) is None
    assert opening_everywhere(Window(time(9), time(9), EVERY_DAY), now, [zone]) is None


def test_where_the_zone_is_not_certain_all_must_be_open() -> None:
    zones = [ZoneInfo("America/New_York"), ZoneInfo("America/Los_Angeles")]
    window = Window(time(9), time(20), EVERY_DAY)
    early = at("2026-11-24T09:00", "America/New_York")
    assert opening_everywhere(window, early, zones) == at("2026-11-24T09:00", "America/Los_Angeles")
    late = at("2026-11-24T20:00", "America/New_York")  # still open in the west
    assert opening_everywhere(window, late, zones) == at("2026-11-25T09:00", "America/Los_Angeles")


def test_zones_that_are_never_open_together_never_open() -> None:
    zones = [ZoneInfo("Pacific/Auckland"), ZoneInfo("America/Los_Angeles")]
    window = Window(time(9), time(10), EVERY_DAY)
    assert opening_everywhere(window, datetime(2026, 6, 1, tzinfo=UTC), zones) is None


@pytest.mark.parametrize(
    ("own", "address", "business", "expected"),
    [
        ("Asia/Tokyo", "+4930123456", "Europe/Berlin", ["Asia/Tokyo"]),
        (None, "+4930123456", "America/Lima", ["Europe/Berlin"]),
        (None, "+12125551234", None, ["America/New_York"]),
        (None, "+870301234567", "Europe/Berlin", ["Europe/Berlin"]),  # a satellite phone
        (None, "+870301234567", None, []),
        ("Mars/Olympus", "+4930123456", "Europe/Berlin", []),  # unknown fails closed
    ],
)
def test_whose_zone_counts(
    own: str | None, address: str, business: str | None, expected: list[str]
) -> None:
    assert [zone.key for zone in zones_of(own, address, business)] == expected


def test_a_number_of_many_zones_has_all_of_them() -> None:
    zones = {zone.key for zone in zones_of(None, "+18005551234", "Europe/Berlin")}
    assert {"America/New_York", "America/Los_Angeles"} <= zones


@given(
    moment=st.datetimes(
        min_value=datetime(2025, 1, 1),  # noqa: DTZ001 - naive here
        max_value=datetime(2028, 1, 1),  # noqa: DTZ001
    ),
    zone=st.sampled_from(ZONES),
    opens=st.integers(0, 22),
    hours=st.integers(1, 8),
    weekdays=st.frozensets(st.integers(1, 7), min_size=1),
)
def test_what_it_answers_is_open_and_nothing_before_is(
    moment: datetime, zone: str, opens: int, hours: int, weekdays: frozenset[int]
) -> None:
    now, where = moment.replace(tzinfo=UTC), ZoneInfo(zone)
    window = Window(time(opens), time(min(opens + hours, 23), 59), weekdays)
    opening = window.opening(now, where)
    assert opening is not None
    assert opening >= now
    assert window.is_open(opening.astimezone(where))
    step = timedelta(minutes=31)
    before = now
    while before < opening:
        assert not window.is_open(before.astimezone(where))
        before += step
