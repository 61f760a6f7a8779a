"""/v1/runs/{run_id}/forecast: what would become of a run."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from fastapi import APIRouter, Response
from pydantic import Field

from trunkline_api import forecasts
from trunkline_api.forecasts import Foretold
from trunkline_api.gateways.forecasts import DraftCounter
from trunkline_api.routes.answers import ProblemAnswer, Told
from trunkline_api.routes.callers import RunsReader, ServiceParts
from trunkline_api.routes.guards import PublicRoute
from trunkline_common.contracts.runs import Forecast
from trunkline_common.http import correlation_id

router = APIRouter(prefix="/runs/{run_id}", tags=["runs"], route_class=PublicRoute)

_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    202: {"description": "Not counted within 2 s; it goes on, see `Location`"},
    503: {"model": ProblemAnswer, "description": "Outbound does not answer now: `Retry-After`"},
}


class ForecastTold(Told):
    """A run's last forecast; `counting` as long as the one that was asked for is on its way."""

    run_id: str
    state: str = Field(description="none, counting or done")
    asked_at: datetime | None
    made_at: datetime | None
    forecast: Forecast | None


def _told(foretold: Foretold) -> ForecastTold:
    made, shown = foretold.run.forecast_at, foretold.run.forecast
    return ForecastTold(
        run_id=foretold.run.id,
        state="counting" if foretold.is_open else "done" if made else "none",
        asked_at=foretold.asked_at,
        made_at=made,
        forecast=Forecast.model_validate(shown) if shown is not None else None,
    )


@router.post("/forecast", responses=_ANSWERS)
async def forecast_run(
    run_id: str, caller: RunsReader, parts: ServiceParts, response: Response
) -> ForecastTold:
    """Count what would become of the run's contacts by the rules of now; nothing is started.

    Of a run that has begun, those who have not been tried are counted. Further tries after busy and
    no answer, what other runs take of the same account, and what contacts get from other runs are
    not foreseen. When a run's audience is frozen, a forecast is made without being asked for.
    """
    foretold = await forecasts.ask(
        parts.database,
        DraftCounter(parts.outbound),
        caller.business_id,
        run_id,
        correlation_id=correlation_id(),
    )
    if foretold.is_open:
        response.status_code = 202
        response.headers["Location"] = f"/v1/runs/{run_id}/forecast"
    return _told(foretold)


@router.get("/forecast")
async def get_forecast(run_id: str, caller: RunsReader, parts: ServiceParts) -> ForecastTold:
    """The run's last forecast, and whether a newer one is being counted."""
    return _told(await forecasts.get(parts.database, caller.business_id, run_id))
