"""/v1/runs/{run_id}/reruns: those whose turns ended in chosen ways, once more."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Response
from pydantic import Field

from trunkline_api import errors, reruns
from trunkline_api.contents import kept_form
from trunkline_api.domain.steps import Dialogue
from trunkline_api.gateways.outcomes import OutcomeReader
from trunkline_api.reruns import Wish
from trunkline_api.routes.answers import (
    AFTER_EVERY_ID,
    Asked,
    Cursor,
    Limit,
    Page,
    ProblemAnswer,
    page_of,
    position_in,
)
from trunkline_api.routes.callers import RunsReader, RunsWriter, ServiceParts
from trunkline_api.routes.guards import PublicRoute
from trunkline_api.routes.runs import PolicyAsked, RunTold, ahead, named_in, opens_at_all
from trunkline_api.routes.values import Moment
from trunkline_common.http import correlation_id

router = APIRouter(prefix="/runs/{run_id}", tags=["runs"], route_class=PublicRoute)

Outcome = Literal[
    "answered", "machine", "busy", "no_answer", "failed", "canceled",
    "accepted", "sent", "delivered", "read",
    "exhausted", "skipped", "cancelled", "unknown",
]  # fmt: skip
Key = Annotated[str, Field(min_length=1, max_length=100)]
_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {"model": RunTold, "description": "It was made before, by the same request"},
    503: {"model": ProblemAnswer, "description": "Outbound does not answer now: `Retry-After`"},
}


class RerunAsked(Asked):
    """Whom to try again, and what is to be different; the rest is the parent's."""

    key: Key = Field(description="one child per run and key: asking again is harmless")
    outcomes: list[Outcome] = Field(
        min_length=1,
        max_length=20,
        description="how their turns ended. `busy` has those whose tries are exhausted, too; "
        "`unknown` may have been reached already, so it is never in but by name",
    )
    name: str | None = Field(default=None, min_length=1, max_length=200)
    content: Dialogue | None = None
    policy: PolicyAsked | None = Field(
        default=None, description="what is not named stays as the parent's; null takes a limit away"
    )
    start: bool = Field(default=False, description="as soon as its audience is there")
    start_at: Moment | None = None


@router.post("/reruns", status_code=201, responses=_ANSWERS)
async def rerun(
    run_id: str, asked: RerunAsked, caller: RunsWriter, parts: ServiceParts, response: Response
) -> RunTold:
    """Make a child of a run that has ended: a draft for those whose turns ended in these ways.

    Its audience is gathered from outbound; as long as `preparing` is true it cannot be started.
    Who asked, and for whom, is among the parent's controls.
    """
    opens_at_all(asked.policy)
    content = kept_form(asked.content) if asked.content else None
    wish = Wish(
        key=asked.key,
        outcomes=list(asked.outcomes),
        by=caller.key_id,
        correlation_id=correlation_id(),
        name=asked.name,
        content=content,
        policy=named_in(asked.policy),
        starts=asked.start,
        start_at=ahead(asked.start_at),
    )
    child, is_new = await reruns.ask(
        parts.database, OutcomeReader(parts.outbound), caller.business_id, run_id, wish
    )
    response.status_code = 201 if is_new else 200
    return RunTold.model_validate(child)


@router.get("/reruns")
async def list_reruns(
    run_id: str, caller: RunsReader, parts: ServiceParts, limit: Limit = 50, cursor: Cursor = None
) -> Page[RunTold]:
    """The run's children, newest first."""
    before = position_in(cursor, start=AFTER_EVERY_ID)
    rows = await reruns.page(
        parts.database, caller.business_id, run_id, before=before, limit=limit + 1
    )
    if rows is None:
        raise errors.not_found("run")
    return page_of(rows, limit, RunTold.model_validate, lambda row: row.id)
