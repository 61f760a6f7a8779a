"""What a process says of itself: alive, ready or not and because of what, and its metrics."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

Check = Callable[[], Awaitable[None]]

CHECK_SECONDS = 2.0


@dataclass(slots=True)
class Health:
    """The dependencies of this OS process. One that is not `required` is named, and no more.

    A process that is `draining` takes nothing new, so nobody may send it anything.
    """

    draining: Callable[[], bool] = lambda: False
    checks: dict[str, tuple[Check, bool]] = field(default_factory=dict)

    def add(self, name: str, check: Check, *, required: bool = True) -> None:
        """`check` returns when the dependency is there, and raises when it is not."""
        self.checks[name] = (check, required)

    async def look(self) -> tuple[bool, dict[str, str]]:
        """Whether this process can do its work, and the state of each dependency."""
        states: dict[str, str] = {}

        async def ask(name: str, check: Check) -> None:
            try:
                async with asyncio.timeout(CHECK_SECONDS):
                    await check()
            except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer
                states[name] = f"down: {type(error).__name__}"
            else:
                states[name] = "up"

        async with asyncio.TaskGroup() as tasks:
            for name, (check, _required) in self.checks.items():
                tasks.create_task(ask(name, check))
        ready = all(states[name] == "up" for name, (_, needed) in self.checks.items() if needed)
        return ready, {name: states[name] for name in self.checks}


def health_routes(health: Health) -> APIRouter:
    """`/health/live`, `/health/ready` and `/metrics`."""
    router = APIRouter(include_in_schema=False)

    @router.get("/health/live")
    async def live() -> dict[str, str]:
        return {"status": "alive"}

    @router.get("/health/ready")
    async def ready() -> JSONResponse:
        is_ready, states = await health.look()
        status = "ready" if is_ready else "not ready"
        if health.draining():
            status = "draining"
        body = {"status": status, "dependencies": states}
        return JSONResponse(body, status_code=200 if status == "ready" else 503)

    @router.get("/metrics")
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return router
