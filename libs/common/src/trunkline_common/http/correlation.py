"""The edge where a correlation id enters or is born, and where it goes back to the caller."""

from __future__ import annotations

import logging
from urllib.parse import parse_qs

from opentelemetry import trace
from opentelemetry.trace import SpanKind
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from trunkline_common.http.problems import Problem, problem_response
from trunkline_common.telemetry import (
    accepted_correlation_id,
    correlated,
    note_error,
    span,
)

log = logging.getLogger(__name__)

_UNEXPECTED = Problem(500, "internal-error", "Something went wrong on our side")
HEADER = "X-Correlation-Id"
_HEADER = HEADER.lower().encode()


class Correlated:
    """Pure ASGI: takes `X-Correlation-Id` and the trace, gives the id back in every answer.

    A provider's callback carries both in the query (`cid`, `tp`), because it sends no headers of
    ours back.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        query = parse_qs(scope["query_string"].decode("latin-1"))
        correlation = accepted_correlation_id(headers.get(_HEADER) or query.get("cid", [None])[0])
        parent = headers.get(b"traceparent") or query.get("tp", [None])[0]
        with (
            correlated(correlation),
            span(
                scope["method"],
                kind=SpanKind.SERVER,
                parent=parent,
                new_trace=True,
                attributes={"http.request.method": scope["method"]},
            ) as current,
        ):
            answer = _Answer(send, scope, current, correlation)
            try:
                await self._app(scope, receive, answer)
            except Exception as error:  # an edge answers whatever happens, and says it in the log
                log.exception("http.unexpected")
                if answer.started:
                    raise
                note_error(current, error)
                await problem_response(_UNEXPECTED)(scope, receive, answer)


class _Answer:
    """A `send` that gives the correlation id back and names the span by the route."""

    def __init__(self, send: Send, scope: Scope, current: trace.Span, correlation: str) -> None:
        self._send = send
        self._scope = scope
        self._span = current
        self._correlation = correlation.encode("latin-1")
        self.started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            headers = [*message.get("headers", ()), (_HEADER, self._correlation)]
            message = {**message, "headers": headers}
            route = getattr(self._scope.get("route"), "path", None)
            if route:  # the template, never the path: a span's name has no id in it
                self._span.update_name(f"{self._scope['method']} {route}")
                self._span.set_attribute("http.route", route)
            self._span.set_attribute("http.response.status_code", message["status"])
            if message["status"] >= 500:
                self._span.set_status(trace.StatusCode.ERROR)
        await self._send(message)
