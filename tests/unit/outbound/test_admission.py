"""The admission gate and the rotation of businesses: pure, so tested as tables."""

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
from trunkline_outbound.store.runs import LiveRun
from trunkline_outbound.turns import in_turn

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def test_admission() -> None:
    job = JobFacts(1, "+972501234567", 0)
    assert admit(job, channel_enabled=True, now=NOW) == SendNow()
    later = admit(job, channel_enabled=False, now=NOW)
    assert later == NotBefore(NOW + timedelta(minutes=1), "channel_disabled")
    odd = JobFacts(2, "0501234567", 0)
    assert admit(odd, channel_enabled=True, now=NOW) == Skip("address_not_e164")


@pytest.mark.parametrize("kind", ["address", "prefix", "contact"])
@pytest.mark.parametrize("enabled", [True, False])
def test_a_suppressed_job_is_skipped_whatever_else_is_true(kind: str, enabled: bool) -> None:
    job = JobFacts(1, "+972501234567", 3, suppressed_by=kind)
    assert admit(job, channel_enabled=enabled, now=NOW) == Skip(f"suppressed_{kind}")


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


def test_a_business_that_was_served_waits_for_the_others() -> None:
    live = [LiveRun(f"run_{n}", business, "chn") for n, business in enumerate(["a", "a", "b", "c"])]
    assert [run.business_id for run in in_turn(live, {"a": 2, "b": 1})] == ["c", "b", "a", "a"]
