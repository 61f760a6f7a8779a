"""Cohorts: the runs that were made in one month, whose rows live and go together.

A run's id begins with the time it was made, so a month is a range of ids in the order of bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from trunkline_common.ids import RUN, first_id


@dataclass(frozen=True, slots=True)
class Month:
    """A month of runs: `lower_id` is the first id that may be of it, `upper_id` of the next."""

    name: str
    lower_id: str
    upper_id: str


def months(now: datetime, *, ahead: int) -> list[Month]:
    """The month of `now` and so many after it, without a gap."""
    start = now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    found = []
    for _ in range(ahead + 1):
        after = (start + timedelta(days=32)).replace(day=1)
        name = f"{start:%Y_%m}"
        found.append(Month(name, first_id(RUN, start), first_id(RUN, after)))
        start = after
    return found


def is_past(upper_id: str, *, now: datetime, keep_days: int) -> bool:
    """Whether every run before this id was made so long ago."""
    return upper_id <= first_id(RUN, now - timedelta(days=keep_days))
