"""POST /v1/runs/{run_id}/contacts: more contacts for a run that has not ended."""

from __future__ import annotations

from fastapi import APIRouter, Response
from pydantic import Field, model_validator

from trunkline_api import additions
from trunkline_api.additions import Wish
from trunkline_api.routes.answers import Asked, Id
from trunkline_api.routes.callers import RunsWriter, ServiceParts
from trunkline_api.routes.controls import PENDING, ControlTold
from trunkline_api.routes.guards import PublicRoute
from trunkline_api.runs import Audience
from trunkline_common.http import correlation_id

router = APIRouter(prefix="/runs/{run_id}", tags=["runs"], route_class=PublicRoute)


class AdditionAsked(Asked):
    """Whom to add: exactly one of these."""

    import_id: Id | None = None
    contact_ids: list[Id] | None = Field(default=None, min_length=1, max_length=1000)

    @model_validator(mode="after")
    def _is_one(self) -> AdditionAsked:
        if (self.import_id is None) == (self.contact_ids is None):
            message = "give exactly one of import_id and contact_ids"
            raise ValueError(message)
        return self


@router.post("/contacts", responses=PENDING)
async def add_contacts(
    run_id: str, asked: AdditionAsked, caller: RunsWriter, parts: ServiceParts, response: Response
) -> ControlTold:
    """Add contacts to a run that is a draft, scheduled, running or paused.

    The answer tells how many were `added`, and how many were in the run already (`rejects`). A run
    that is being cancelled or has ended takes nobody; a run does not end while some are on the way.
    """
    audience = Audience(asked.import_id, asked.contact_ids or ())
    wish = Wish(audience, by=caller.key_id, correlation_id=correlation_id())
    kept = await additions.ask(parts.database, caller.business_id, run_id, wish)
    if kept.state == "pending":
        response.status_code = 202
        response.headers["Location"] = f"/v1/runs/{run_id}/controls/{kept.id}"
    return ControlTold.model_validate(kept)
