"""Facts about runs beside their life: what is foreseen of one, and who is added to it."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from trunkline_common.contracts.api import AudienceContact
from trunkline_common.contracts.envelope import Event


class Limit(BaseModel):
    """One thing that bounds how fast a run goes, in requests per second."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    rule: str
    per_second: float


class Forecast(BaseModel):
    """What would become of a run's contacts, by the rules and settings of one moment.

    INVARIANT: contacts = open + outside + zone_unknown + never_opens + invalid + all suppressed.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    at: datetime = Field(description="the moment it is for: now, or the start if that lies ahead")
    contacts: int = Field(description="looked at: those who have not been tried")
    suppressed: dict[str, int] = Field(description="by kind: address, prefix, contact")
    invalid: int = Field(description="whose address is no number that can be called")
    duplicates: int | None = Field(
        default=None, description="left out of the audience, where that is known"
    )
    open: int = Field(description="may be tried at once")
    outside: int = Field(description="outside of their calling window")
    first_opens_at: datetime | None = Field(
        default=None, description="of those outside: when the first may be tried"
    )
    zone_unknown: int = Field(description="whose zone nobody knows; asked again every hour")
    never_opens: int = Field(description="in whose zones the window never opens")
    limits: tuple[Limit, ...] = Field(default=(), description="the slowest comes first")
    mean_call_seconds: float | None = Field(
        default=None, description="of late; without it concurrency is not in the limits"
    )
    ends_at: datetime | None = Field(
        default=None,
        description="when everybody has been tried once, at the slowest limit; calls a day that "
        "numbers may make are counted by days",
    )
    ends_after: datetime | None = Field(
        default=None, description="in place of `ends_at`: not before this"
    )
    not_foreseen: tuple[str, ...] = ()


class RunForecastRequested(Event):
    """Somebody wants to know what would become of a run that outbound has."""

    name: ClassVar[str] = "run.forecast_requested.v1"
    subject_field: ClassVar[str] = "run_id"

    run_id: str
    asked: int = Field(description="counts the forecasts that were asked of a run")


class RunForecasted(Event):
    """What would become of a run: said when its audience is frozen, and whenever it is asked."""

    name: ClassVar[str] = "run.forecasted.v1"
    subject_field: ClassVar[str] = "run_id"

    run_id: str
    asked: int = Field(description="of the request that this answers; 0: nobody asked")
    forecast: Forecast


class RunContactsAdded(Event):
    """One numbered piece (from 1) of an addition to a run: at most 1,000 contacts and 96 KiB.

    The last piece says how many there are; pieces may come in any order.
    """

    name: ClassVar[str] = "run.contacts_added.v1"
    subject_field: ClassVar[str] = "run_id"

    run_id: str
    control_id: str
    piece: int
    contacts: tuple[AudienceContact, ...] = ()
    pieces: int | None = None


class RunAdditionEnded(Event):
    """What became of an addition: `added` are jobs now, `rejects` were in the run already.

    With `refused` the rest of it was let go of, for that reason.
    """

    name: ClassVar[str] = "run.addition_ended.v1"
    subject_field: ClassVar[str] = "run_id"

    run_id: str
    control_id: str
    added: int
    rejects: int
    total: int = Field(description="contacts of the run now")
    refused: str | None = None
