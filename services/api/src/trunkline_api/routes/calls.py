"""/v1/calls."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import Field

from trunkline_api import calls, errors
from trunkline_api.routes.answers import (
    AFTER_EVERY_ID,
    Cursor,
    Limit,
    Page,
    Told,
    page_of,
    position_in,
)
from trunkline_api.routes.callers import CallsReader, ServiceParts
from trunkline_api.routes.guards import PublicRoute

router = APIRouter(prefix="/calls", tags=["calls"], route_class=PublicRoute)


class CallTold(Told):
    """One call. What is not known yet is null: facts about a call may come in any order."""

    id: str
    direction: str = Field(description="inbound or outbound")
    parent_id: str | None = Field(description="of a leg: the call that opened it")
    run_id: str | None = Field(description="null: no run asked for it, and so for the next two")
    seq: int | None
    attempt_id: str | None
    contact_id: str | None
    channel_id: str | None
    provider_call_id: str | None
    from_number: str | None
    to_number: str | None
    state: str = Field(description="dialled or ringing, answered, ended or unknown")
    outcome: str | None
    answered_by: str | None
    duration: int | None = Field(description="seconds")
    reason: str | None
    hangup_cause: str | None = Field(description="the provider's error or SIP's code, if it told")
    price: str | None = Field(description="as the provider writes it: negative is a charge")
    price_unit: str | None
    dialled_at: datetime | None
    answered_at: datetime | None
    ended_at: datetime | None
    correlation_id: str
    created_at: datetime


class RecordingTold(Told):
    """A recording of a call."""

    id: str
    provider_recording_id: str
    state: str = Field(description="stored or failed")
    size: int | None = Field(description="bytes")
    sha256: str | None
    content_type: str | None
    duration: int | None = Field(description="seconds")
    reason: str | None
    created_at: datetime


class ResponseTold(Told):
    """What somebody pressed in a call, or that they pressed nothing."""

    attempt_id: str | None = Field(description="null: a caller's, and so for the contact")
    contact_id: str | None
    step: int = Field(description="which step of the content asked, from 0")
    turn: int = Field(description="how often it had asked before")
    digits: str
    meaning: str = Field(description="opt_out, confirm, connect, repeat, hang_up or no_input")
    responded_at: datetime


class CallWithRecordings(CallTold):
    """One call, whole."""

    recordings: list[RecordingTold]
    responses: list[ResponseTold] = Field(description="keys that were pressed, in order")


@router.get("")
async def list_calls(
    caller: CallsReader,
    parts: ServiceParts,
    run_id: Annotated[str | None, Query(max_length=40, description="of this run only")] = None,
    direction: Annotated[
        Literal["inbound", "outbound"] | None, Query(description="only those")
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[CallTold]:
    """Calls of both directions, newest first."""
    before = position_in(cursor, start=AFTER_EVERY_ID)
    rows = await calls.page(
        parts.database,
        caller.business_id,
        run_id=run_id,
        direction=direction,
        before=before,
        limit=limit + 1,
    )
    if rows is None:
        raise errors.not_found("run")
    return page_of(rows, limit, CallTold.model_validate, lambda row: row.id)


@router.get("/{call_id}")
async def get_call(call_id: str, caller: CallsReader, parts: ServiceParts) -> CallWithRecordings:
    """One call with its recordings and what was pressed."""
    found = await calls.get(parts.database, caller.business_id, call_id)
    if found is None:
        raise errors.not_found("call")
    call, recordings, responses = found
    told = CallTold.model_validate(call)
    kept = [RecordingTold.model_validate(recording) for recording in recordings]
    pressed = [ResponseTold.model_validate(response) for response in responses]
    return CallWithRecordings(**told.model_dump(), recordings=kept, responses=pressed)
