"""POST /v1/businesses for the operator, GET /v1/business for its keys."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import AfterValidator, Field

from trunkline_api import businesses, errors
from trunkline_api.domain.candidates import available_zones
from trunkline_api.domain.countries import country_of
from trunkline_api.routes.answers import Asked, Told
from trunkline_api.routes.callers import AnyKey, ServiceParts, SettingsWriter, operator
from trunkline_api.routes.guards import PublicRoute
from trunkline_api.routes.keys import KeyMade
from trunkline_api.store.businesses import Settings
from trunkline_common.http import correlation_id

router = APIRouter(tags=["businesses"], route_class=PublicRoute)


def _is_country(value: str) -> str:
    if len(value) != 2 or country_of(value) != value:
        message = "not an ISO 3166-1 alpha-2 code, such as DE"
        raise ValueError(message)
    return value


def _is_zone(value: str) -> str:
    if value not in available_zones():
        message = "not an IANA time zone, such as Europe/Berlin"
        raise ValueError(message)
    return value


Country = Annotated[str, AfterValidator(_is_country), Field(examples=["DE"])]
TimeZone = Annotated[str, AfterValidator(_is_zone), Field(examples=["Europe/Berlin"])]


class BusinessAsked(Asked):
    """A tenant to create. The country says how national numbers are read."""

    name: str = Field(min_length=1, max_length=200)
    country: Country
    time_zone: TimeZone


class BusinessTold(Told):
    """A tenant."""

    id: str
    name: str
    country: str
    time_zone: str
    holidays: list[date] = Field(description="days on which nobody is called")
    created_at: datetime


class SettingsAsked(Asked):
    """What is to change; what is not named stays."""

    name: str | None = Field(default=None, min_length=1, max_length=200)
    time_zone: TimeZone | None = None
    holidays: list[date] | None = Field(default=None, max_length=1000)


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
        correlation_id=correlation_id(),
    )
    told = BusinessTold.model_validate(made.business)
    return BusinessMade(**told.model_dump(), key=KeyMade.of(made.key, made.secret))


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
        parts.database,
        caller.business_id,
        Settings(asked.name, asked.time_zone, asked.holidays),
        correlation_id=correlation_id(),
    )
    if changed is None:
        raise errors.not_found("business")
    return BusinessTold.model_validate(changed)
