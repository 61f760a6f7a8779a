"""What would become of many contacts: counted in pieces, and foreseen from the counts. Pure.

Nobody's zone matters but by the window that opens there, so contacts are counted by their zones,
and a million of them are a few counts by the time that the end is asked for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from trunkline_outbound.domain.windows import Window, opening_everywhere, zones_of

FARTHEST: Final = timedelta(days=120)  # an end that lies behind it is only said to be later
NOT_FORESEEN: Final = ("retries", "other_runs", "contact_budget", "later_changes")
_ANYWHERE: Final = ""  # without a window nobody's zone is asked for
_BETWEEN: Final = ","


@dataclass(frozen=True, slots=True)
class Person:
    """One contact as far as it is asked about; `suppressed_by` is the kind that fits it."""

    address: str
    zone: str | None = None
    suppressed_by: str | None = None


@dataclass(slots=True)
class Tally:
    """Counts of those looked at so far; `zones` by the zones they may be in, joined."""

    contacts: int = 0
    invalid: int = 0
    zone_unknown: int = 0
    suppressed: dict[str, int] = field(default_factory=dict)
    zones: dict[str, int] = field(default_factory=dict)

    def add(self, person: Person, *, windowed: bool, business_zone: str | None) -> None:
        """Count one more, in the order in which the gate of an intent would judge."""
        self.contacts += 1
        if person.suppressed_by is not None:
            kind = person.suppressed_by
            self.suppressed[kind] = self.suppressed.get(kind, 0) + 1
        elif not person.address.startswith("+"):
            self.invalid += 1
        elif not windowed:
            self.zones[_ANYWHERE] = self.zones.get(_ANYWHERE, 0) + 1
        else:
            self._place(zones_of(person.zone, person.address, business_zone))

    def _place(self, zones: Sequence[ZoneInfo]) -> None:
        if not zones:
            self.zone_unknown += 1
            return
        key = _BETWEEN.join(zone.key for zone in zones)
        self.zones[key] = self.zones.get(key, 0) + 1


@dataclass(slots=True)
class _Group:
    """Contacts in the same zones, and when their window is open next."""

    zones: tuple[ZoneInfo, ...]
    left: float
    opens: datetime
    closes: datetime


@dataclass(frozen=True, slots=True)
class Quota:
    """How many may be called in a day of the zone, and how many of the first day are `left`."""

    per_day: int
    left: int
    zone: ZoneInfo

    def next_day(self, now: datetime) -> datetime:
        """When the day that follows this moment begins."""
        day = now.astimezone(self.zone).date() + timedelta(days=1)
        return datetime.combine(day, time(), self.zone).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Outlook:
    """When whom may be tried. `ends_after` in place of `ends_at`: so far away that it is not said.

    `ends_at` is the best that the pace allows: of several that are open, those whose window closes
    first are taken first.
    """

    open: int
    outside: int
    never_opens: int
    first_opens_at: datetime | None
    ends_at: datetime | None
    ends_after: datetime | None = None


def foresee(
    zones: Mapping[str, int],
    window: Window | None,
    *,
    per_second: float | None,
    at: datetime,
    quota: Quota | None = None,
) -> Outlook:
    """Whose window is open at that moment, and when all have been tried once."""
    if window is None:
        return _without_window(sum(zones.values()), per_second, at, quota)
    groups, never = [], 0
    for key, count in zones.items():
        group = _group(key, count, window, at)
        if group is None:
            never += count
        else:
            groups.append(group)
    later = [group for group in groups if group.opens > at]
    first_opens_at = min((group.opens for group in later), default=None)
    outside = sum(int(group.left) for group in later)
    ends_at = _end(groups, window, per_second, at, quota)  # uses the groups up
    return Outlook(
        open=sum(zones.values()) - never - outside,
        outside=outside,
        never_opens=never,
        first_opens_at=first_opens_at,
        ends_at=ends_at,
        ends_after=at + FARTHEST if groups and ends_at is None else None,
    )


def _without_window(
    count: int, per_second: float | None, at: datetime, quota: Quota | None
) -> Outlook:
    if quota is not None and count > quota.left:
        anywhere = _Group((), count, at, at + 2 * FARTHEST)
        ends_at = _end([anywhere], None, per_second, at, quota)
        return Outlook(count, 0, 0, None, ends_at, None if ends_at else at + FARTHEST)
    taken = timedelta() if per_second is None else _taken(count, per_second)
    if taken > FARTHEST:
        return Outlook(count, 0, 0, None, None, at + FARTHEST)
    return Outlook(count, 0, 0, None, at + taken)


def _taken(count: float, per_second: float) -> timedelta:
    """The first leaves at once, each other one after its interval."""
    seconds = max(count - 1, 0) / per_second
    return timedelta(seconds=min(seconds, 10 * FARTHEST.total_seconds()))


def _group(key: str, count: int, window: Window, at: datetime) -> _Group | None:
    zones = tuple(ZoneInfo(name) for name in key.split(_BETWEEN))
    group = _Group(zones, count, at, at)
    return group if _look_on(group, window, at) else None


def _look_on(group: _Group, window: Window, at: datetime) -> bool:
    """Find when the group's window is open next, from this moment on; False: it never is."""
    opens = opening_everywhere(window, at, group.zones)
    if opens is None:
        return False
    locals_ = [opens.astimezone(zone) for zone in group.zones]
    closings = [
        datetime.combine(local.date(), window.closes, zone).astimezone(UTC)
        for local, zone in zip(locals_, group.zones, strict=True)
    ]
    # An hour that summer time leaves out may hold the close; some time must pass all the same.
    group.opens, group.closes = opens, max(min(closings), opens + timedelta(seconds=1))
    return True


def _end(
    groups: Sequence[_Group],
    window: Window | None,
    per_second: float | None,
    at: datetime,
    quota: Quota | None,
) -> datetime | None:
    if not groups:
        return at
    if per_second is None and quota is None:
        return max(group.opens for group in groups)
    spare, now, left = 1.0, at, list(groups)  # the first of all leaves without waiting
    today, midnight = _day(quota, at)
    while now < at + FARTHEST:
        ready = sorted((g for g in left if g.opens <= now), key=lambda group: group.closes)
        until = min([g.closes for g in ready] + [g.opens for g in left if g.opens > now])
        until = min(until, midnight)
        paced = math.inf
        if per_second is not None:
            paced = (until - now).total_seconds() * per_second + spare
        work, room = sum(group.left for group in ready), min(paced, today)
        if work <= room and len(ready) == len(left):
            return now + timedelta(seconds=max(work - spare, 0) / (per_second or math.inf))
        spare = 0.0 if ready and room else spare
        _take(ready, room)
        today -= min(work, room)
        now = until
        if quota is not None and now == midnight:
            today, midnight = quota.per_day, quota.next_day(now)
        left = [group for group in left if group.left > 0]
        if window and not all(_look_on(g, window, now) for g in left if g.closes <= now):
            return None
    return None


def _day(quota: Quota | None, at: datetime) -> tuple[float, datetime]:
    """How many of this day are left, and when the next one begins."""
    if quota is None:
        return math.inf, at + 2 * FARTHEST
    return quota.left, quota.next_day(at)


def _take(ready: Sequence[_Group], room: float) -> None:
    for group in ready:
        taken = min(group.left, room)
        group.left -= taken
        room -= taken
