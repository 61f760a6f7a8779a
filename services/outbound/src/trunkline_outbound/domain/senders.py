"""Which number calls whom: the one that called before, else the one that rested longest. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Sender:
    """A number of a pool. `room`: how many more calls it may make now; None: as many as wanted."""

    number: str
    used_at: datetime | None = None
    room: int | None = None


def choose(
    addresses: Sequence[str], senders: Sequence[Sender], bonds: Mapping[str, str]
) -> list[str | None]:
    """A number for each address, in their order; None where no number has room left.

    Whoever was called before (`bonds`: address → number) is called from the same number, where it
    has room and is still in the pool.
    """
    rooms = {s.number: len(addresses) if s.room is None else s.room for s in senders}
    never = datetime.min.replace(tzinfo=UTC)
    rested = [s.number for s in sorted(senders, key=lambda s: (s.used_at or never, s.number))]
    chosen: list[str | None] = []
    for address in addresses:
        bond = bonds.get(address, "")
        if rooms.get(bond, 0) > 0:
            number: str | None = bond
        else:
            number = next((n for n in rested if rooms[n] > 0), None)
        if number is not None:
            rooms[number] -= 1
            rested.remove(number)
            rested.append(number)
        chosen.append(number)
    return chosen


def keep_within(numbers: Sequence[str], senders: Sequence[Sender]) -> list[int]:
    """Places of those for which their number has room, first come first."""
    rooms = {s.number: len(numbers) if s.room is None else s.room for s in senders}
    kept = []
    for place, number in enumerate(numbers):
        if rooms.get(number, 0) > 0:
            rooms[number] -= 1
            kept.append(place)
    return kept


@dataclass(frozen=True, slots=True)
class Beat:
    """A reserved pace: the i-th leaves after `first_in + i * interval` seconds."""

    first_in: float
    interval: float


def departures(numbers: Sequence[str], account: Beat, own: Mapping[str, Beat]) -> list[float]:
    """When each may leave, in seconds: as the account's pace says, and its number's own."""
    turns: dict[str, int] = {}
    times: list[float] = []
    for place, number in enumerate(numbers):
        at = account.first_in + place * account.interval
        if number in own:
            turn = turns[number] = turns.get(number, -1) + 1
            at = max(at, own[number].first_in + turn * own[number].interval)
        times.append(at)
    return times


def day_of(now: datetime, zone: str | None) -> date:
    """The day that a number's calls are counted in: the business's own, else UTC's."""
    try:
        return now.astimezone(ZoneInfo(zone or "UTC")).date()
    except (KeyError, ValueError):
        return now.astimezone(UTC).date()
