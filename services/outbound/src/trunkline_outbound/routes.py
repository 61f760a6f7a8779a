"""What outbound answers to api and to nobody else: pages of a job's history, of a run's log."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict

from trunkline_common.db import Database, transaction
from trunkline_common.http import Problem
from trunkline_outbound.guard import guarded_by
from trunkline_outbound.store import history
from trunkline_outbound.store.history import Place

NEWEST: Final = 2**63 - 1
_PLACE: Final = re.compile(r"(\d{1,18})\.(\d)\.([0-9A-Za-z_]{0,64})")

Seq = Annotated[int, Path(ge=1, le=2**62)]
Limit = Annotated[int, Query(ge=1, le=500)]


class LineTold(BaseModel):
    """One line, with its position for the page that goes on behind it."""

    model_config = ConfigDict(from_attributes=True, frozen=True)

    position: str
    seq: int
    at: datetime
    kind: str
    state: str
    rule: str | None
    detail: str | None
    not_before: datetime | None
    attempt_id: str | None
    provider_id: str | None
    said_by: str | None


class Lines(BaseModel):
    """A page."""

    data: Sequence[LineTold]


def internal_router(database: Database, token: str | None) -> APIRouter:
    """Routes for whoever shows this token; without one they answer nobody."""
    router = APIRouter(
        prefix="/internal/v1/businesses/{business_id}/runs/{run_id}",
        dependencies=[Depends(guarded_by(token))],
    )

    @router.get("/jobs/{seq}/history")
    async def job_history(
        business_id: str, run_id: str, seq: Seq, limit: Limit = 50, after: str | None = None
    ) -> Lines:
        place = _place(after)
        async with transaction(database) as session:
            lines = await history.of_job(
                session, business_id, run_id, seq, after=place, limit=limit
            )
        if lines is None:
            raise Problem(404, "not-found", "Not found", "there is no such job")
        return Lines(data=[LineTold.model_validate(line) for line in lines])

    @router.get("/decisions")
    async def run_decisions(
        business_id: str,
        run_id: str,
        limit: Limit = 50,
        before: Annotated[int, Query(ge=1, le=NEWEST)] = NEWEST,
    ) -> Lines:
        async with transaction(database) as session:
            lines = await history.of_run(session, business_id, run_id, before=before, limit=limit)
        return Lines(data=[LineTold.model_validate(line) for line in lines])

    return router


def _place(after: str | None) -> Place:
    if after is None:
        return Place()
    found = _PLACE.fullmatch(after)
    if found is None:
        raise Problem(
            422, "invalid-request", "The request is not valid", "not a place in a history"
        )
    return Place(int(found[1]), int(found[2]), found[3])
