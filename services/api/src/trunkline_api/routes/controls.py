"""/v1/runs/{run_id}: pause, resume, cancel, edit, and who did."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fastapi import APIRouter, Response
from pydantic import Field

from trunkline_api import controls, errors
from trunkline_api.controls import Wish
from trunkline_api.domain.controls import Control
from trunkline_api.routes.answers import (
    AFTER_EVERY_ID,
    Asked,
    Cursor,
    Limit,
    Page,
    Told,
    page_of,
    position_in,
)
from trunkline_api.routes.callers import RunsReader, RunsWriter, ServiceParts
from trunkline_api.routes.guards import PublicRoute
from trunkline_api.routes.runs import PolicyAsked, ahead, named_in, opens_at_all
from trunkline_api.routes.values import Moment
from trunkline_common.http import correlation_id

router = APIRouter(prefix="/runs/{run_id}", tags=["runs"], route_class=PublicRoute)


class CancelAsked(Asked):
    """How to cancel."""

    hang_up: bool = Field(default=False, description="end the calls in the air, too")


class EditAsked(Asked):
    """What is to change; what is not named stays. `null` takes a limit away."""

    policy: PolicyAsked | None = None
    start_at: Moment | None = Field(
        default=None, description="only before the start; null: as soon as the audience is there"
    )


class ControlTold(Told):
    """A control and what came of it.

    The `answer` of a cancel is its receipt: `stopped` will never be sent, `in_flight` had been
    admitted before and will end by themselves, `ended` were over.
    """

    id: str
    run_id: str
    control: Control
    number: int | None = Field(description="they count in this order, however they arrive")
    state: str = Field(description="pending, done or refused")
    asked: dict[str, Any]
    asked_by: str = Field(description="the key that asked")
    asked_at: datetime
    answer: dict[str, Any] | None
    reason: str | None
    answered_at: datetime | None


async def _asked(
    wish: Wish, run_id: str, caller: RunsWriter, parts: ServiceParts, response: Response
) -> ControlTold:
    asked = await controls.ask(parts.database, caller.business_id, run_id, wish)
    if asked.state == "pending":
        response.status_code = 202
        response.headers["Location"] = f"/v1/runs/{run_id}/controls/{asked.id}"
    return ControlTold.model_validate(asked)


def _wish(control: Control, caller: RunsWriter, **more: Any) -> Wish:
    return Wish(control=control, by=caller.key_id, correlation_id=correlation_id(), **more)


PENDING: dict[int | str, dict[str, Any]] = {
    202: {"description": "Not answered within 2 s; it goes on, see `Location`"}
}


@router.post("/pause", responses=PENDING)
async def pause_run(
    run_id: str, caller: RunsWriter, parts: ServiceParts, response: Response
) -> ControlTold:
    """Admit nothing more until the run is resumed. Calls in the air go on."""
    return await _asked(_wish("pause", caller), run_id, caller, parts, response)


@router.post("/resume", responses=PENDING)
async def resume_run(
    run_id: str, caller: RunsWriter, parts: ServiceParts, response: Response
) -> ControlTold:
    """Go on where the pause stopped. Nobody is called again."""
    return await _asked(_wish("resume", caller), run_id, caller, parts, response)


@router.post("/cancel", responses=PENDING)
async def cancel_run(
    run_id: str,
    caller: RunsWriter,
    parts: ServiceParts,
    response: Response,
    asked: CancelAsked | None = None,
) -> ControlTold:
    """Stop for good: once this answers 200, no further request is admitted. See the receipt."""
    wish = _wish("cancel", caller, hang_up=asked is not None and asked.hang_up)
    return await _asked(wish, run_id, caller, parts, response)


@router.patch("", responses=PENDING)
async def edit_run(
    run_id: str, asked: EditAsked, caller: RunsWriter, parts: ServiceParts, response: Response
) -> ControlTold:
    """Change how a run behaves, also while it runs: it counts for whatever is admitted next."""
    opens_at_all(asked.policy)
    moves_start = "start_at" in asked.model_fields_set
    wish = _wish(
        "edit",
        caller,
        policy=named_in(asked.policy),
        start_at=ahead(asked.start_at),
        moves_start=moves_start,
    )
    return await _asked(wish, run_id, caller, parts, response)


@router.get("/controls")
async def list_controls(
    run_id: str, caller: RunsReader, parts: ServiceParts, limit: Limit = 50, cursor: Cursor = None
) -> Page[ControlTold]:
    """Who controlled the run and when, newest first."""
    before = position_in(cursor, start=AFTER_EVERY_ID)
    rows = await controls.page(
        parts.database, caller.business_id, run_id, before=before, limit=limit + 1
    )
    if rows is None:
        raise errors.not_found("run")
    return page_of(rows, limit, ControlTold.model_validate, lambda row: row.id)


@router.get("/controls/{control_id}")
async def get_control(
    run_id: str, control_id: str, caller: RunsReader, parts: ServiceParts
) -> ControlTold:
    """One control, and its answer once there is one."""
    found = await controls.get(parts.database, caller.business_id, run_id, control_id)
    if found is None:
        raise errors.not_found("control")
    return ControlTold.model_validate(found)
