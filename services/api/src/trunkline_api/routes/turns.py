"""/v1/runs/{run_id}: how contacts' turns ended, with which calls and messages."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter

from trunkline_api import calls, errors, messages, runs
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
from trunkline_api.routes.calls import CallTold
from trunkline_api.routes.guards import PublicRoute
from trunkline_api.routes.messages import MessageTold

router = APIRouter(prefix="/runs/{run_id}", tags=["runs"], route_class=PublicRoute)


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
