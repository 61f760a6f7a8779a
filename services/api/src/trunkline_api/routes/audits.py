"""/v1/channels/{channel_id}/audits: what the provider's list of calls and ours differ in."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Final

from fastapi import APIRouter
from pydantic import Field

from trunkline_api import audits, errors
from trunkline_api.routes.answers import (
    Cursor,
    Limit,
    Page,
    ProblemAnswer,
    Told,
    page_of,
    position_in,
)
from trunkline_api.routes.callers import CallsReader, ServiceParts
from trunkline_api.routes.guards import PublicRoute

router = APIRouter(
    prefix="/channels/{channel_id}/audits", tags=["channels"], route_class=PublicRoute
)

_AWAY: Final[dict[int | str, dict[str, Any]]] = {
    503: {"model": ProblemAnswer, "description": "Outbound does not answer now: `Retry-After`"}
}


class ReportTold(Told):
    """The audit of one day (UTC) of the channel's account: calls on both sides, and differences."""

    day: date
    state: str = Field(description="reading (the figures are the last report's), done or failed")
    ours: int | None = Field(description="calls that we asked for and counted")
    theirs: int | None = Field(description="calls in the provider's list, in and out, with legs")
    inbound: int | None = Field(description="of theirs: on the way in")
    only_ours: int | None
    only_theirs: int | None
    reason: str | None
    audited_at: datetime | None


class DifferenceTold(Told):
    """One call that one side alone knows."""

    provider_id: str
    side: str = Field(description="ours or theirs: who knows it")
    rule: str = Field(
        description="provider_has_none, provider_did_not_say (ours); inbound_not_reported, "
        "attempt_absent, attempt_unknown (an attempt that was given up), made_elsewhere (theirs)"
    )
    direction: str = Field(description="the provider's word: outbound-api, inbound …")
    status: str
    started_at: datetime | None
    attempt_id: str | None
    call_id: str | None


@router.get("", responses=_AWAY)
async def list_audits(
    channel_id: str,
    caller: CallsReader,
    parts: ServiceParts,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[ReportTold]:
    """Reports, newest first: one for each day."""
    rows = await audits.reports(
        parts.database,
        parts.outbound,
        caller.business_id,
        channel_id,
        before=_day(cursor),
        limit=limit + 1,
    )
    return page_of(rows, limit, ReportTold.model_validate, lambda row: str(row.day))


@router.get("/{day}", responses=_AWAY)
async def list_differences(
    channel_id: str,
    day: date,
    caller: CallsReader,
    parts: ServiceParts,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[DifferenceTold]:
    """What one side alone knew of that day, in the order of the provider's ids."""
    rows = await audits.differences(
        parts.database,
        parts.outbound,
        caller.business_id,
        channel_id,
        day,
        after=position_in(cursor, start=""),
        limit=limit + 1,
    )
    return page_of(rows, limit, DifferenceTold.model_validate, lambda row: row.provider_id)


def _day(cursor: str | None) -> date:
    position = position_in(cursor, start=str(date.max))
    try:
        return date.fromisoformat(position)
    except ValueError:
        raise errors.invalid("query/cursor", "not a cursor of this list") from None
