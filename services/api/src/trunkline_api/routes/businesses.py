"""/v1/businesses for the operator, /v1/business for its keys."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import AfterValidator, Field

from trunkline_api import businesses, errors
from trunkline_api.domain.countries import country_of
from trunkline_api.routes.answers import Asked, Told
from trunkline_api.routes.callers import AnyKey, ServiceParts, SettingsWriter, operator
from trunkline_api.routes.guards import PublicRoute
from trunkline_api.routes.keys import KeyMade
from trunkline_api.routes.values import TimeZone
from trunkline_api.store.businesses import Allowance, Settings
from trunkline_common.http import correlation_id

router = APIRouter(tags=["businesses"], route_class=PublicRoute)


def _is_country(value: str) -> str:
    if len(value) != 2 or country_of(value) != value:
        message = "not an ISO 3166-1 alpha-2 code, such as DE"
        raise ValueError(message)
    return value


Country = Annotated[str, AfterValidator(_is_country), Field(examples=["DE"])]


class BusinessAsked(Asked):
    """A tenant to create. The country says how national numbers are read."""

    name: str = Field(min_length=1, max_length=200)
    country: Country
    time_zone: TimeZone


class ContactBudgetTold(Told):
    """At most so many touches in so many days."""

    most: int
    days: int


class ContactBudgetAsked(Asked):
    """At most so many touches of an address in so many days, 24 hours each.

    A touch is an attempt of any run, a call or a message, from the time that the budget was set;
    one that never reached the provider or was refused there is none.
    """

    most: int = Field(ge=1, le=1000)
    days: int = Field(ge=1, le=90)


class BusinessTold(Told):
    """A tenant."""

    id: str
    name: str
    country: str
    time_zone: str
    holidays: list[date] = Field(description="days on which nobody is called")
    contact_budget: ContactBudgetTold | None = Field(
        description="how often a contact is reached out to at most, over all runs and channels"
    )
    weight: float = Field(description="its share of the turns beside other businesses")
    concurrent: int | None = Field(
        description="calls in the air at most, and messages being handed over, of all its accounts "
        "together; null without a limit of its own"
    )
    created_at: datetime


class SettingsAsked(Asked):
    """What is to change; what is not named stays."""

    name: str | None = Field(default=None, min_length=1, max_length=200)
    time_zone: TimeZone | None = None
    holidays: list[date] | None = Field(default=None, max_length=1000)
    contact_budget: ContactBudgetAsked | None = Field(
        default=None,
        description="whoever has had that many waits until the oldest is so many days ago; null "
        "lifts it",
    )

    def settings(self) -> Settings:
        budget = self.contact_budget
        return Settings(
            name=self.name,
            time_zone=self.time_zone,
            holidays=self.holidays,
            contact_budget=budget.model_dump() if budget else None,
            lifts_budget="contact_budget" in self.model_fields_set and budget is None,
        )


class AllowanceAsked(Asked):
    """What the operator grants a business; what is not named stays."""

    weight: float | None = Field(
        default=None,
        ge=0.01,
        le=100,
        allow_inf_nan=False,
        description="beside others with work, a business of weight 3 gets three times the turns of "
        "one of weight 1",
    )
    concurrent: int | None = Field(
        default=None,
        ge=1,
        le=1_000_000,
        description="calls in the air at most, and messages being handed over, of all its accounts "
        "together; null lifts it",
    )

    def allowance(self) -> Allowance:
        lifts_cap = "concurrent" in self.model_fields_set and self.concurrent is None
        return Allowance(self.weight, self.concurrent, lifts_cap)


class BusinessMade(BusinessTold):
    """A new tenant with its first key, shown this once."""

    key: KeyMade


@router.post("/businesses", status_code=201, dependencies=[Depends(operator)])
async def create_business(asked: BusinessAsked, parts: ServiceParts) -> BusinessMade:
    """Create a business and its first API key, whose secret is shown only now."""
    made = await businesses.create(
        parts.database,
        name=asked.name,
        country=asked.country,
        zone=asked.time_zone,
        concurrent=parts.business_concurrent,
        correlation_id=correlation_id(),
    )
    told = BusinessTold.model_validate(made.business)
    return BusinessMade(**told.model_dump(), key=KeyMade.of(made.key, made.secret))


@router.patch("/businesses/{business_id}", dependencies=[Depends(operator)])
async def grant_business(
    business_id: str, asked: AllowanceAsked, parts: ServiceParts
) -> BusinessTold:
    """Change what a business is granted: its weight, and its calls in the air."""
    granted = await businesses.grant(
        parts.database, business_id, asked.allowance(), correlation_id=correlation_id()
    )
    if granted is None:
        raise errors.not_found("business")
    return BusinessTold.model_validate(granted)


@router.get("/business")
async def get_business(caller: AnyKey, parts: ServiceParts) -> BusinessTold:
    """The business that the key belongs to."""
    business = await businesses.get(parts.database, caller.business_id)
    if business is None:
        raise errors.not_found("business")
    return BusinessTold.model_validate(business)


@router.patch("/business")
async def change_business(
    asked: SettingsAsked, caller: SettingsWriter, parts: ServiceParts
) -> BusinessTold:
    """Change the business's settings. They count for whatever is sent next, in every run."""
    changed = await businesses.change(
        parts.database, caller.business_id, asked.settings(), correlation_id=correlation_id()
    )
    if changed is None:
        raise errors.not_found("business")
    return BusinessTold.model_validate(changed)
