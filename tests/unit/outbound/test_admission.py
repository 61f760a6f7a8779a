"""The admission gate: pure, so tested as tables."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest

from trunkline_outbound.domain.admission import (
    Admission,
    JobFacts,
    NotBefore,
    Rules,
    SendNow,
    Skip,
    admit,
    back_off,
    grant,
)
from trunkline_outbound.domain.windows import Window

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
AT_9_PST = datetime(2026, 11, 23, 17, tzinfo=UTC)


OPEN = Window(time(9), time(20), frozenset(range(1, 8)))
WORKDAYS = Window(time(9), time(20), frozenset({1, 2, 3, 4, 5}))
NEVER = Window(time(9), time(20), frozenset())
HAIFA = JobFacts(1, "+972501234567", 0)


@pytest.mark.parametrize(
    ("job", "rules", "expected"),
    [
        (HAIFA, Rules(), SendNow()),
        (JobFacts(2, "0501234567", 0), Rules(), Skip("address_not_e164")),
        (
            HAIFA,
            Rules(channel_enabled=False),
            NotBefore(NOW + timedelta(minutes=1), "channel_disabled"),
        ),
        (HAIFA, Rules(window=OPEN), SendNow()),  # 14:00 there
        (JobFacts(1, "+14155550100", 0), Rules(window=OPEN), NotBefore(AT_9_PST, "outside_window")),
        (
            JobFacts(1, "+14155550100", 0, "Asia/Jerusalem"),
            Rules(window=OPEN),
            SendNow(),  # the contact's own zone beats its number's
        ),
        (JobFacts(1, "+870301234567", 0), Rules(window=OPEN, business_zone="UTC"), SendNow()),
        (
            JobFacts(1, "+870301234567", 0),
            Rules(window=OPEN),
            NotBefore(NOW + timedelta(hours=1), "zone_unknown"),
        ),
        (
            HAIFA,
            Rules(window=NEVER),
            NotBefore(NOW + timedelta(days=1), "window_never_opens"),
        ),
        (HAIFA, Rules(channel_enabled=True, window=WORKDAYS), SendNow()),  # a Monday
    ],
)
def test_admission(job: JobFacts, rules: Rules, expected: Admission) -> None:
    assert admit(job, rules, now=NOW) == expected


@pytest.mark.parametrize("kind", ["address", "prefix", "contact"])
@pytest.mark.parametrize("enabled", [True, False])
def test_a_suppressed_job_is_skipped_whatever_else_is_true(kind: str, enabled: bool) -> None:
    job = JobFacts(1, "+972501234567", 3, suppressed_by=kind)
    assert admit(job, Rules(channel_enabled=enabled), now=NOW) == Skip(f"suppressed_{kind}")


@pytest.mark.parametrize(
    ("wanted", "rooms", "granted"), [(5, (), 5), (5, (3, 9), 3), (5, (-2,), 0), (0, (4,), 0)]
)
def test_lack_of_room_makes_a_grant_partial(
    wanted: int, rooms: tuple[int, ...], granted: int
) -> None:
    assert grant(wanted, *rooms) == granted


def test_back_off_grows_and_is_bounded() -> None:
    waits = [back_off(n).total_seconds() for n in range(1, 12)]
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (5, 300)
