"""What bounds a business and its contacts: parts of the facts in `api`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class ContactBudget(BaseModel):
    """How often one address is reached out to, at most, in so many days (of 24 hours each)."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    most: int
    days: int
