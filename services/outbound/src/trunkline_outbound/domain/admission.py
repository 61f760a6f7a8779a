"""May this job be sent now? One pure function for both channels, told everything it knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from trunkline_outbound.domain.budgets import Budget, free_at
from trunkline_outbound.domain.windows import Window, opening_everywhere, zones_of

# A limit is later, never failed: settings may be mended meanwhile.
ZONE_UNKNOWN: Final = timedelta(hours=1)
NEVER_OPENS: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class JobFacts:
    """What is known of one job at the moment of its intent, on the database's clock."""

    seq: int
    address: str
    attempts: int
    zone: str | None = None
    suppressed_by: str | None = None  # the kind of the suppression that fits it
    touches: Sequence[datetime] = ()  # of its address, in all runs: what its budget counts


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for all jobs of an intent.

    The run's window, the business's zone and days off, and its contacts' budget.
    """

    channel_enabled: bool = True
    window: Window | None = None
    business_zone: str | None = None
    budget: Budget | None = None


@dataclass(frozen=True, slots=True)
class SendNow:
    """Nothing speaks against it."""


@dataclass(frozen=True, slots=True)
class NotBefore:
    """Later, never failed: a reason of the contact, with the earliest time."""

    at: datetime
    rule: str


@dataclass(frozen=True, slots=True)
class Skip:
    """This contact must not be tried in this run at all."""

    rule: str


Admission = SendNow | NotBefore | Skip


def admit(job: JobFacts, rules: Rules, *, now: datetime) -> Admission:
    """Decide one job. Room and pace are not asked here: they make the grant partial instead."""
    if job.suppressed_by is not None:
        return Skip(f"suppressed_{job.suppressed_by}")
    if not job.address.startswith("+"):
        return Skip("address_not_e164")
    if not rules.channel_enabled:
        return NotBefore(now + timedelta(minutes=1), "channel_disabled")
    if rules.window is not None:
        answer = _in_window(job, rules.window, rules.business_zone, now)
        if not isinstance(answer, SendNow):
            return answer
    if rules.budget is not None:
        at = free_at(job.touches, rules.budget, now)
        return SendNow() if at <= now else NotBefore(at, "contact_budget")
    return SendNow()


def _in_window(
    job: JobFacts, window: Window, business_zone: str | None, now: datetime
) -> Admission:
    zones = zones_of(job.zone, job.address, business_zone)
    if not zones:
        return NotBefore(now + ZONE_UNKNOWN, "zone_unknown")
    opening = opening_everywhere(window, now, zones)
    if opening is None:
        return NotBefore(now + NEVER_OPENS, "window_never_opens")
    return SendNow() if opening <= now else NotBefore(opening, "outside_window")


def grant(wanted: int, *rooms: int) -> int:
    """How many may go: lack of room makes a grant partial, it never fails anybody."""
    return max(0, min((wanted, *rooms)))


def back_off(attempts: int) -> timedelta:
    """How long a job waits after a request that never left, by the number of its attempts."""
    return timedelta(seconds=min(5 * 2 ** max(0, attempts - 1), 300))
