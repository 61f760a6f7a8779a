"""Values in bodies whose refusal has a problem type of its own."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from trunkline_api.domain.candidates import available_zones


def _is_zone(value: str) -> str:
    if value not in available_zones():
        raise PydanticCustomError(
            "problem:unknown-zone", "not an IANA time zone, such as Europe/Berlin"
        )
    return value


def _moves(value: Any) -> Any:
    if value == 0 and not isinstance(value, bool):
        raise PydanticCustomError(
            "problem:pace-zero", "at zero nothing is ever sent; leave it out, or pause the run"
        )
    return value


TimeZone = Annotated[str, AfterValidator(_is_zone), Field(examples=["Europe/Berlin"])]
MOVES: Final = BeforeValidator(_moves)
