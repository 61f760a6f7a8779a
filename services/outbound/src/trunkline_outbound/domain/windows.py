"""When a contact may be called: the local window, in the zones that the contact may be in. Pure.

Where a zone is not certain, every zone that it may be must agree: a window fails closed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import phonenumbers
from phonenumbers import timezone

FARTHEST: Final = timedelta(days=400)  # a window that has not opened by then never does
_UNKNOWN: Final = "Etc/Unknown"
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Window:
    """A local window of the days that it opens on; ISO weekdays, Monday is 1."""

    opens: time
    closes: time
    weekdays: frozenset[int]
    holidays: frozenset[date] = frozenset()

    def is_open(self, local: datetime) -> bool:
        """By what the clock on the contact's wall shows, also in an hour that comes twice."""
        return self._opens_on(local.date()) and self.opens <= local.time() < self.closes

    def opening(self, now: datetime, zone: ZoneInfo) -> datetime | None:
        """The first moment at or after `now` at which it is open in a zone; None if there is none.

        An opening that a change to summer time leaves out is at the end of the gap.
        """
        local = now.astimezone(zone)
        if self.is_open(local):
            return now
        day = local.date()
        if local.time() >= self.opens:
            day += _DAY
        while day <= local.date() + FARTHEST:
            if self._opens_on(day):
                return datetime.combine(day, self.opens, zone).astimezone(UTC)
            day += _DAY
        return None

    def _opens_on(self, day: date) -> bool:
        return day.isoweekday() in self.weekdays and day not in self.holidays


def opening_everywhere(window: Window, now: datetime, zones: Sequence[ZoneInfo]) -> datetime | None:
    """The first moment at which the window is open in all of these zones; None if there is none."""
    moment = now
    while moment <= now + FARTHEST:
        latest = moment
        for zone in zones:
            opening = window.opening(latest, zone)
            if opening is None:
                return None
            latest = opening
        if latest == moment:
            return moment
        moment = latest
    return None


def zones_of(own: str | None, address: str, business: str | None) -> tuple[ZoneInfo, ...]:
    """The zones that a contact may be in: its own, else its number's, else the business's.

    Empty where nothing is known; whoever asks must then wait.
    """
    if own is not None:
        known = _zone(own)
        return (known,) if known else ()
    named = _zones_of_number(address)
    if named:
        return named
    known = _zone(business) if business is not None else None
    return (known,) if known else ()


@lru_cache(maxsize=20_000)
def _zones_of_number(address: str) -> tuple[ZoneInfo, ...]:
    try:
        number = phonenumbers.parse(address)
    except phonenumbers.NumberParseException:
        return ()
    names = timezone.time_zones_for_number(number)
    if _UNKNOWN in names:  # not a number that is given out, as far as the plan's data knows
        names = timezone.time_zones_for_geographical_number(number)
    zones = [_zone(name) for name in names if name != _UNKNOWN]
    return tuple(zone for zone in zones if zone is not None)


@lru_cache(maxsize=1_000)
def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return None
