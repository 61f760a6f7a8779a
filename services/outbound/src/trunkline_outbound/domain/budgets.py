"""How often one address may be reached out to, over all runs and both channels. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Budget:
    """At most so many touches within any window of this length."""

    most: int
    window: timedelta


def free_at(touches: Iterable[datetime], budget: Budget, now: datetime) -> datetime:
    """When one more touch is within the budget: now, or when enough of them are old enough.

    A touch is out of the window once it is as old as the window is long.
    """
    counted = sorted(at for at in touches if at + budget.window > now)
    if len(counted) < budget.most:
        return now
    return counted[len(counted) - budget.most] + budget.window
