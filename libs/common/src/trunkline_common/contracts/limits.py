"""What bounds a business and its contacts: parts of the facts in `api`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


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
