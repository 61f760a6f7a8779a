"""Forecasts of drafts for api: whoever shows the audience in pieces carries the tally along."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from trunkline_common.contracts.api import ChannelKind, RunPolicy
from trunkline_common.contracts.runs import Forecast
from trunkline_common.db import Database, transaction
from trunkline_outbound.domain.forecasts import Tally
from trunkline_outbound.forecasting import Plan, conclude, look_at
from trunkline_outbound.guard import guarded_by
from trunkline_outbound.store.forecasts import Candidate

MOST: Final = 1_000


class PersonShown(BaseModel):
    """One contact of a draft."""

    model_config = ConfigDict(frozen=True)

    contact_id: str
    address: str
    zone: str | None = None


class PieceShown(BaseModel):
    """Some of a draft's audience, with what was counted before it; the last is told as such."""

    model_config = ConfigDict(frozen=True)

    channel: ChannelKind
    channel_id: str
    policy: RunPolicy
    people: Annotated[tuple[PersonShown, ...], Field(max_length=MOST)]
    tally: dict[str, Any] = {}
    is_last: bool = False
    start_at: datetime | None = None
    duplicates: int | None = None


class PieceCounted(BaseModel):
    """The tally with these people in it; after the last the forecast as well."""

    tally: dict[str, Any]
    forecast: Forecast | None = None


def forecast_router(database: Database, token: str | None) -> APIRouter:
    """For whoever shows this token."""
    router = APIRouter(
        prefix="/internal/v1/businesses/{business_id}/runs/{run_id}",
        dependencies=[Depends(guarded_by(token))],
    )

    @router.post("/forecast")
    async def count_piece(business_id: str, run_id: str, piece: PieceShown) -> PieceCounted:
        plan = Plan(run_id, business_id, piece.channel, piece.channel_id, piece.policy)
        people = [
            Candidate(place, person.contact_id, person.address, person.zone)
            for place, person in enumerate(piece.people)
        ]
        tally, forecast = Tally(**piece.tally), None
        async with transaction(database) as session:
            await look_at(session, plan, tally, people)
            if piece.is_last:
                forecast = await conclude(
                    session, plan, tally, start_at=piece.start_at, duplicates=piece.duplicates
                )
        return PieceCounted(tally=asdict(tally), forecast=forecast)

    return router
