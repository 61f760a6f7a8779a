"""May this job be sent now? One pure function for both channels, told everything it knows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class JobFacts:
    """What is known of one job at the moment of its intent, on the database's clock."""

    seq: int
    address: str
    attempts: int
    suppressed_by: str | None = None  # the kind of the suppression that fits it


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


def admit(job: JobFacts, *, channel_enabled: bool, now: datetime) -> Admission:
    """Decide one job. Room and pace are not asked here: they make the grant partial instead."""
    if job.suppressed_by is not None:
        return Skip(f"suppressed_{job.suppressed_by}")
    if not job.address.startswith("+"):
        return Skip("address_not_e164")
    if not channel_enabled:
        return NotBefore(now + timedelta(minutes=1), "channel_disabled")
    return SendNow()


def grant(wanted: int, *rooms: int) -> int:
    """How many may go: lack of room makes a grant partial, it never fails anybody."""
    return max(0, min((wanted, *rooms)))


def back_off(attempts: int) -> timedelta:
    """How long a job waits after a request that never left, by the number of its attempts."""
    return timedelta(seconds=min(5 * 2 ** max(0, attempts - 1), 300))
