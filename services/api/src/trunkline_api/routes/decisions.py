"""/v1/runs/{run_id}: why each contact was called, deferred, skipped or ended, and when."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path
from pydantic import Field

from trunkline_api import decisions, errors
from trunkline_api.routes.answers import (
    Cursor,
    Limit,
    Page,
    ProblemAnswer,
    Told,
    page_of,
    position_in,
)
from trunkline_api.routes.callers import RunsReader, ServiceParts
from trunkline_api.routes.guards import PublicRoute

router = APIRouter(prefix="/runs/{run_id}", tags=["runs"], route_class=PublicRoute)

Seq = Annotated[int, Path(ge=1, le=10**9, description="the contact's number in the run")]
_AWAY: Final[dict[int | str, dict[str, Any]]] = {
    503: {"model": ProblemAnswer, "description": "Outbound does not answer now: `Retry-After`"}
}


class DecisionTold(Told):
    """One line of the log. No line holds a phone number."""

    seq: int
    at: datetime
    kind: str = Field(
        description="decision, attempt, result (of an attempt), call or message (what the "
        "provider said of it), response (a key that was pressed; `detail` has it), leg (of a call "
        "that connected an agent), or end (of the contact's turn)"
    )
    state: str = Field(description="deferred, skipped, intent, accepted, ringing, done …")
    rule: str | None = Field(description="why")
    detail: str | None = Field(description="the provider's code, the outcome, the attempt")
    not_before: datetime | None = Field(description="of a deferral: when it is looked at again")
    attempt_id: str | None
    provider_id: str | None
    said_by: str | None = Field(description="of a result: answer, callback, poll, horizon …")


@router.get("/contacts/{seq}/decisions", responses=_AWAY)
async def list_contact_decisions(
    run_id: str,
    seq: Seq,
    caller: RunsReader,
    parts: ServiceParts,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[DecisionTold]:
    """Everything that happened to one contact of the run, oldest first."""
    lines = await decisions.of_contact(
        parts.database,
        parts.outbound,
        caller.business_id,
        run_id,
        seq,
        after=position_in(cursor, start="") or None,
        limit=limit + 1,
    )
    return page_of(lines, limit, DecisionTold.model_validate, lambda line: line.position)


@router.get("/decisions", responses=_AWAY)
async def list_run_decisions(
    run_id: str, caller: RunsReader, parts: ServiceParts, limit: Limit = 50, cursor: Cursor = None
) -> Page[DecisionTold]:
    """The run's decisions, newest first: deferrals, skips, doubts. Attempts are by contact."""
    lines = await decisions.of_run(
        parts.database,
        parts.outbound,
        caller.business_id,
        run_id,
        before=_before(cursor),
        limit=limit + 1,
    )
    return page_of(lines, limit, DecisionTold.model_validate, lambda line: line.position)


def _before(cursor: str | None) -> int | None:
    position = position_in(cursor, start="")
    if not position:
        return None
    if not position.isdecimal() or len(position) > 18 or int(position) == 0:
        raise errors.invalid("query/cursor", "not a cursor of this list")
    return int(position)
