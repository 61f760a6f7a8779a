"""How a run's contacts ended, asked of outbound page by page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlencode

from pydantic import BaseModel, ValidationError

from trunkline_api import errors
from trunkline_api.gateways.outbound import OutboundLog
from trunkline_api.store.reruns import Build

PAGE: Final = 1_000


class Ended(BaseModel):
    """One contact of the parent's."""

    seq: int
    contact_id: str


class Outcomes(BaseModel):
    """A page, and the run's state when it was read."""

    state: str
    data: list[Ended]


@dataclass(frozen=True, slots=True)
class OutcomeReader:
    """Reads whose turns ended so."""

    outbound: OutboundLog

    async def page(self, build: Build, *, limit: int = PAGE) -> Outcomes | None:
        """The next page of a child's audience; None where outbound has no such run.

        Raises a problem where outbound does not answer.
        """
        query = [("names", name) for name in build.outcomes]
        query += [("after", str(build.after_seq)), ("limit", str(limit))]
        run = f"businesses/{quote(build.business_id)}/runs/{quote(build.parent_id)}"
        answer = await self.outbound.read(f"{run}/outcomes?{urlencode(query)}")
        try:
            return None if answer is None else Outcomes.model_validate_json(answer)
        except ValidationError:
            raise errors.outbound_away("outbound answered in a form that we do not know") from None
