"""The HTTP edge of a service: its application, its problems, its correlation id."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter, FastAPI
from fastapi.telemetry import TelemetryConfig

from trunkline_common.http.correlation import HEADER, Correlated
from trunkline_common.http.health import Health, health_routes
from trunkline_common.http.problems import Problem, add_problem_handlers
from trunkline_common.http.requests import Limited
from trunkline_common.telemetry import correlation_id

BODY_LIMIT = 1024 * 1024

# The framework's own spans come besides ours, four to a request, and cost more than the request;
# its logs would tell exceptions unredacted.
_OWN_TELEMETRY: TelemetryConfig = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
}


def create_app(
    title: str,
    routers: Sequence[APIRouter] = (),
    *,
    version: str = "0.1.0",
    health: Health | None = None,
    body_limit: int = BODY_LIMIT,
    body_limits: dict[str, int] | None = None,
    openapi_url: str | None = "/openapi.json",
) -> FastAPI:
    """An application with problems, correlation, request metrics, health and these routers.

    No documentation page is mounted: the ones that FastAPI ships load scripts from elsewhere.
    """
    app = FastAPI(
        title=title,
        version=version,
        docs_url=None,
        redoc_url=None,
        openapi_url=openapi_url,
        telemetry=_OWN_TELEMETRY,
    )
    add_problem_handlers(app)
    if health is not None:
        app.include_router(health_routes(health))
    for router in routers:
        app.include_router(router)
    app.add_middleware(Limited, body_limit=body_limit, limits=body_limits)
    app.add_middleware(Correlated)
    return app


__all__ = ["HEADER", "Health", "Problem", "correlation_id", "create_app", "health_routes"]
