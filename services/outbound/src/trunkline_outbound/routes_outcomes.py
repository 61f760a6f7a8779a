"""Whose turns ended how, for api: the audience of a run's children."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict

from trunkline_common.db import Database, transaction
from trunkline_common.http import Problem
from trunkline_outbound.guard import guarded_by
from trunkline_outbound.store import outcomes

Names = Annotated[list[str], Query(min_length=1, max_length=20)]


class EndedTold(BaseModel):
    """One contact."""

    model_config = ConfigDict(from_attributes=True, frozen=True)

    seq: int
    contact_id: str


class OutcomesTold(BaseModel):
    """A page, and the state that the run was in when it was read."""

    state: str
    data: Sequence[EndedTold]


def outcome_router(database: Database, token: str | None) -> APIRouter:
    """For whoever shows this token."""
    router = APIRouter(
        prefix="/internal/v1/businesses/{business_id}/runs/{run_id}",
        dependencies=[Depends(guarded_by(token))],
    )

    @router.get("/outcomes")
    async def run_outcomes(
        business_id: str,
        run_id: str,
        names: Names,
        after: Annotated[int, Query(ge=0)] = 0,
        limit: Annotated[int, Query(ge=1, le=5_000)] = 1_000,
    ) -> OutcomesTold:
        async with transaction(database) as session:
            state = await outcomes.state_of(session, run_id, business_id=business_id)
            rows = await outcomes.ended(
                session, run_id, names, business_id=business_id, after=after, limit=limit
            )
        if state is None:
            raise Problem(404, "not-found", "Not found", "there is no such run")
        return OutcomesTold(state=state, data=[EndedTold.model_validate(row) for row in rows])

    return router
