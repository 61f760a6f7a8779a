"""What every message carries besides its fact: the CloudEvents attributes, as one frozen value."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Generic, TypeVar

from pydantic import BaseModel, ConfigDict


class Event(BaseModel):
    """A frozen fact. `name` is its wire name, `subject_field` names its aggregate's id.

    Readers ignore what they do not know, so an optional field may be added; anything else is a
    new class with a new version beside the old one.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: ClassVar[str]
    subject_field: ClassVar[str]

    @property
    def subject(self) -> str:
        """The id of the aggregate that this fact is about."""
        return str(getattr(self, self.subject_field))


E_co = TypeVar("E_co", bound=Event, covariant=True)


@dataclass(frozen=True, slots=True)
class Envelope(Generic[E_co]):
    """One event with its CloudEvents attributes. `occurred_at` is the publisher's database time."""

    id: str
    source: str
    event: E_co
    business_id: str
    occurred_at: datetime
    correlation_id: str
    causation_id: str | None = None
    sequence: int | None = None
    traceparent: str | None = None
    tracestate: str | None = None
