"""The admission gate: pure, so tested as tables."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from trunkline_outbound.domain.admission import (
    JobFacts,
    NotBefore,
    SendNow,
    Skip,
    admit,
    back_off,
    grant,
)

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def test_admission() -> None:
    job = JobFacts(1, "+972501234567", 0)
    assert admit(job, channel_enabled=True, now=NOW) == SendNow()
    later = admit(job, channel_enabled=False, now=NOW)
    assert later == NotBefore(NOW + timedelta(minutes=1), "channel_disabled")
    odd = JobFacts(2, "0501234567", 0)
    assert admit(odd, channel_enabled=True, now=NOW) == Skip("address_not_e164")


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
