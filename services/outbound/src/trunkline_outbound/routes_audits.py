"""What outbound answers api of its audits: reports of an account's days, and their differences."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict

from trunkline_common.db import Database, transaction
from trunkline_common.http import Problem
from trunkline_outbound.guard import guarded_by
from trunkline_outbound.store import audit_reports
from trunkline_outbound.store.audits import Key

Limit = Annotated[int, Query(ge=1, le=500)]


class ReportTold(BaseModel):
    """One day."""

    model_config = ConfigDict(from_attributes=True, frozen=True)

    day: date
    state: str
    ours: int | None
    theirs: int | None
    inbound: int | None
    only_ours: int | None
    only_theirs: int | None
    reason: str | None
    audited_at: datetime | None


class Reports(BaseModel):
    """A page."""

    data: Sequence[ReportTold]


class DifferenceTold(BaseModel):
    """One call that one side alone knows."""

    model_config = ConfigDict(from_attributes=True, frozen=True)

    provider_id: str
    side: str
    rule: str
    direction: str
    status: str
    started_at: datetime | None
    attempt_id: str | None
    call_id: str | None


class Differences(BaseModel):
    """A page."""

    data: Sequence[DifferenceTold]


def audit_router(database: Database, token: str | None) -> APIRouter:
    """Routes about audits, for whoever shows this token."""
    router = APIRouter(
        prefix="/internal/v1/businesses/{business_id}/accounts/{account}/audits",
        dependencies=[Depends(guarded_by(token))],
    )

    @router.get("")
    async def list_reports(
        business_id: str, account: str, limit: Limit = 50, before: date = date.max
    ) -> Reports:
        async with transaction(database) as session:
            rows = await audit_reports.reports(
                session, business_id, account, before=before, limit=limit
            )
        return Reports(data=[ReportTold.model_validate(row) for row in rows])

    @router.get("/{day}")
    async def list_differences(
        business_id: str,
        account: str,
        day: date,
        limit: Limit = 50,
        after: Annotated[str, Query(max_length=64)] = "",
    ) -> Differences:
        key = Key(business_id, account, day)
        async with transaction(database) as session:
            if await audit_reports.get(session, key) is None:
                raise Problem(404, "not-found", "Not found", "there is no audit of this day")
            rows = await audit_reports.differences(session, key, after=after, limit=limit)
        return Differences(data=[DifferenceTold.model_validate(row) for row in rows])

    return router
