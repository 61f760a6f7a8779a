"""Errors of a public API as RFC 9457 problem details, whoever raised them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from trunkline_common.outcomes import TrunklineError
from trunkline_common.telemetry import current_correlation_id

MEDIA_TYPE = "application/problem+json"
_PHRASES = {413: "Content Too Large", 422: "Unprocessable Content"}  # RFC 9110's names
TYPE_PREFIX = "urn:trunkline:problem:"
OWN_TYPE = "problem:"  # a PydanticCustomError of this type is a problem of that name


class Problem(TrunklineError):
    """An answer that says no: `type_slug` is for programs, `title` and `detail` are for people."""

    def __init__(
        self,
        status: int,
        type_slug: str,
        title: str,
        detail: str | None = None,
        errors: Sequence[Mapping[str, Any]] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        members: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail or title)
        self.status = status
        self.type_slug = type_slug
        self.title = title
        self.detail = detail
        self.errors = errors
        self.headers = headers
        self.members = members or {}  # of this type alone


def problem_response(problem: Problem) -> JSONResponse:
    """The problem as an answer."""
    body: dict[str, Any] = {
        "type": TYPE_PREFIX + problem.type_slug,
        "title": problem.title,
        "status": problem.status,
        **problem.members,
    }
    if problem.detail:
        body["detail"] = problem.detail
    if problem.errors is not None:
        body["errors"] = [dict(error) for error in problem.errors]
    correlation = current_correlation_id()
    if correlation:
        body["correlation_id"] = correlation
    return JSONResponse(
        body,
        status_code=problem.status,
        media_type=MEDIA_TYPE,
        headers=dict(problem.headers) if problem.headers else None,
    )


def _pointer(location: Sequence[str | int]) -> str:
    """Where in the request; in the body as a JSON pointer."""
    place, *path = location or ("body",)
    steps = "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)
    return f"#{steps}" if place == "body" else f"{place}{steps}"


async def _on_problem(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Problem)  # noqa: S101 - tells the type checker what starlette knows
    return problem_response(error)


async def _on_validation(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - as above
    faults = error.errors()
    if any(fault["type"] == "json_invalid" for fault in faults):
        return problem_response(
            Problem(400, "malformed-json", "The body is not JSON", str(faults[0]["msg"]))
        )
    errors = [{"pointer": _pointer(fault["loc"]), "detail": fault["msg"]} for fault in faults]
    return problem_response(Problem(422, _slug(faults), "The request is not valid", errors=errors))


def _slug(faults: Sequence[Mapping[str, Any]]) -> str:
    """A validator may name a type of its own; it holds where all faults have the same."""
    named = {str(fault["type"]) for fault in faults}
    only = named.pop() if len(named) == 1 else ""
    return only.removeprefix(OWN_TYPE) if only.startswith(OWN_TYPE) else "invalid-request"


async def _on_http(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - as above
    phrase = _PHRASES.get(error.status_code) or HTTPStatus(error.status_code).phrase
    detail = error.detail if error.detail != phrase else None
    slug = phrase.lower().replace(" ", "-").replace("'", "")
    return problem_response(Problem(error.status_code, slug, phrase, detail, headers=error.headers))


def add_problem_handlers(app: FastAPI) -> None:
    """Every error of this application becomes a problem."""
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(RequestValidationError, _on_validation)
    app.add_exception_handler(HTTPException, _on_http)
