"""Bounds and figures of each request: how long a body may be, how long an answer took."""

from __future__ import annotations

import time

from prometheus_client import Histogram
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from trunkline_common.http.problems import Problem, problem_response

SECONDS = Histogram(
    "trunkline_http_request_seconds",
    "Time to the start of an answer",
    ["method", "route", "status"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)


class Limited:
    """Pure ASGI: refuses a body over the limit by its length, or when it has grown too long.

    A route that takes more (an upload) names its own limit: `limits={"/v1/imports": bytes}`.
    """

    def __init__(
        self, app: ASGIApp, *, body_limit: int, limits: dict[str, int] | None = None
    ) -> None:
        self._app = app
        self._limit = body_limit
        self._limits = limits or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._limits.get(scope["path"], self._limit)
        timed = _Timed(scope, send)
        length = next((v for k, v in scope["headers"] if k == b"content-length"), b"0")
        if length.isdigit() and int(length) > limit:
            await _refusal(limit)(scope, receive, timed)
            return
        await self._app(scope, _counting(receive, limit), timed)


def _refusal(limit: int) -> ASGIApp:
    return problem_response(
        Problem(413, "content-too-large", "Content Too Large", f"at most {limit} bytes")
    )


def _counting(receive: Receive, limit: int) -> Receive:
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > limit:
            # FastAPI lets only its own exceptions through while it reads a body.
            raise HTTPException(413, f"at most {limit} bytes")
        return message

    return counted


class _Timed:
    """A `send` that notes when the answer starts."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope = scope
        self._send = send
        self._began = time.perf_counter()

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            route = getattr(self._scope.get("route"), "path", "unmatched")
            took = time.perf_counter() - self._began
            SECONDS.labels(self._scope["method"], route, message["status"]).observe(took)
        await self._send(message)
