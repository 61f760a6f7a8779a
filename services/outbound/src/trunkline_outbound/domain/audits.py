"""What a call that only one side knows is: the rules of an audit's report."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Literal

Side = Literal["ours", "theirs"]

# Of our calls. The first is an alarm: we count a call that the provider never had.
PROVIDER_HAS_NONE: Final = "provider_has_none"
NOT_TOLD: Final = "provider_did_not_say"

# Of theirs, on the way in.
INBOUND_UNKNOWN: Final = "inbound_not_reported"
# Of theirs, on the way out: an attempt that we took for absent or unknown may be this very call.
ATTEMPT_ABSENT: Final = "attempt_absent"
ATTEMPT_UNKNOWN: Final = "attempt_unknown"
MADE_ELSEWHERE: Final = "made_elsewhere"

INBOUND: Final = frozenset({"inbound", "trunking-originating"})


def last_whole_day(now: datetime, at: time) -> date:
    """The newest UTC day to be audited: yesterday, from `at` (UTC) on."""
    since = now.astimezone(UTC) - timedelta(hours=at.hour, minutes=at.minute, seconds=at.second)
    return since.date() - timedelta(days=1)


def is_of_day(started_at: datetime | None, day: date) -> bool:
    """Whether a listed call belongs to the day; lists may show a little more than was asked for."""
    return started_at is not None and started_at.astimezone(UTC).date() == day


def wait_after(tries: int) -> float:
    """Seconds until the next look after so many in vain, one after the other."""
    return float(min(30 * 2 ** min(tries, 7), 1800))
