"""What bounds a business and its contacts: parts of the facts in `api`."""

from __future__ import annotations

from datetime import time
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict


def _on_a_wall(value: time) -> time:
    """A zone was accepted once, and no contact's clock can be held against it."""
    return value.replace(tzinfo=None)


WallTime = Annotated[time, AfterValidator(_on_a_wall)]


class ContactBudget(BaseModel):
    """How often one address is reached out to, at most, in so many days (of 24 hours each)."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    most: int
    days: int


class AutoPause(BaseModel):
    """A run pauses by itself once so large a share of those who ended had one of these outcomes.

    Of all who ended since the start or the last resume, and not before `minimum` of them have.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    share: float
    minimum: int
    outcomes: tuple[str, ...]


class NumberCaps(BaseModel):
    """What each number of a channel may do at most: all of them the same, None without a limit."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    per_second: float | None = None
    per_day: int | None = None
    concurrent: int | None = None
