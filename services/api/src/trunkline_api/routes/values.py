"""Values in bodies whose refusal has a problem type of its own."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Annotated, Any, Final

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from trunkline_api.domain.candidates import available_zones


def _is_zone(value: str) -> str:
    if value not in available_zones():
        raise PydanticCustomError(
            "problem:unknown-zone", "not an IANA time zone, such as Europe/Berlin"
        )
    return value


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        message = "no such moment in UTC"
        raise ValueError(message) from None


def _on_a_wall(value: time) -> time:
    if value.tzinfo is not None:
        message = "a time on the contact's own clock, such as 09:00: without a zone"
        raise ValueError(message)
    return value


def _moves(value: Any) -> Any:
    if value == 0 and not isinstance(value, bool):
        raise PydanticCustomError(
            "problem:pace-zero", "at zero nothing is ever sent; leave it out, or pause the run"
        )
    return value


TimeZone = Annotated[str, AfterValidator(_is_zone), Field(examples=["Europe/Berlin"])]
Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]
WallClock = Annotated[time, AfterValidator(_on_a_wall)]
MOVES: Final = BeforeValidator(_moves)
