"""What outbound answers api of its audits: reports of an account's days, and their differences."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel

from trunkline_common.db import Database, transaction
from trunkline_common.http import Problem
from trunkline_outbound.guard import guarded_by
from trunkline_outbound.store import audit_reports
from trunkline_outbound.store.audit_reports import Difference, Report
from trunkline_outbound.store.audits import Key

Limit = Annotated[int, Query(ge=1, le=500)]


class Reports(BaseModel):
    """A page."""

    data: Sequence[Report]


class Differences(BaseModel):
    """A page."""

    data: Sequence[Difference]


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
        return Reports(data=rows)

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
        return Differences(data=rows)

    return router
