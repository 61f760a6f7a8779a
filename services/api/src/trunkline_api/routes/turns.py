"""/v1/runs/{run_id}: how contacts' turns ended, with which calls and messages."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from fastapi import APIRouter
from pydantic import Field

from trunkline_api import calls, errors, messages, responses, runs
from trunkline_api.routes.answers import (
    AFTER_EVERY_ID,
    Cursor,
    Limit,
    Page,
    Told,
    number_in,
    page_of,
    position_in,
)
from trunkline_api.routes.callers import CallsReader, MessagesReader, RunsReader, ServiceParts
from trunkline_api.routes.calls import CallTold, ResponseTold
from trunkline_api.routes.guards import PublicRoute
from trunkline_api.routes.messages import MessageTold

router = APIRouter(prefix="/runs/{run_id}", tags=["runs"], route_class=PublicRoute)


_BEFORE_ALL: Final = 999_999_999


class ResponsesTold(Page[ResponseTold]):
    """A page of what was pressed, and in how many calls of the run each meaning occurred."""

    counts: dict[str, int] = Field(description="calls of the whole run, by meaning")


class RunContactTold(Told):
    """How one contact's turn ended."""

    seq: int
    contact_id: str
    state: str
    outcome: str | None
    reason: str
    ended_at: datetime


@router.get("/contacts")
async def list_run_contacts(
    run_id: str, caller: RunsReader, parts: ServiceParts, limit: Limit = 50, cursor: Cursor = None
) -> Page[RunContactTold]:
    """How the turns that are over ended, in the audience's order."""
    rows = await runs.ended_contacts(
        parts.database, caller.business_id, run_id, after=number_in(cursor), limit=limit + 1
    )
    if rows is None:
        raise errors.not_found("run")
    return page_of(rows, limit, RunContactTold.model_validate, lambda row: row.seq)


@router.get("/calls")
async def list_run_calls(
    run_id: str, caller: CallsReader, parts: ServiceParts, limit: Limit = 50, cursor: Cursor = None
) -> Page[CallTold]:
    """The run's calls, newest first."""
    before = position_in(cursor, start=AFTER_EVERY_ID)
    rows = await calls.page(
        parts.database, caller.business_id, run_id=run_id, before=before, limit=limit + 1
    )
    if rows is None:
        raise errors.not_found("run")
    return page_of(rows, limit, CallTold.model_validate, lambda row: row.id)


@router.get("/messages")
async def list_run_messages(
    run_id: str,
    caller: MessagesReader,
    parts: ServiceParts,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[MessageTold]:
    """The run's messages, newest first."""
    before = position_in(cursor, start=AFTER_EVERY_ID)
    rows = await messages.page(
        parts.database, caller.business_id, run_id=run_id, before=before, limit=limit + 1
    )
    if rows is None:
        raise errors.not_found("run")
    return page_of(rows, limit, MessageTold.model_validate, lambda row: row.id)


@router.get("/responses")
async def list_run_responses(
    run_id: str, caller: CallsReader, parts: ServiceParts, limit: Limit = 50, cursor: Cursor = None
) -> ResponsesTold:
    """What people pressed in the run's calls, newest first, with the counts of the whole run."""
    found = await responses.of_run(
        parts.database,
        caller.business_id,
        run_id,
        before=number_in(cursor) or _BEFORE_ALL,
        limit=limit + 1,
    )
    if found is None:
        raise errors.not_found("run")
    counts, rows = found
    page = page_of(rows, limit, ResponseTold.model_validate, lambda row: row.position)
    return ResponsesTold(**dict(page), counts=counts)
