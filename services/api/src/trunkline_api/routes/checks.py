"""/v1/runs/{run_id}/validate: everything that is wrong with a draft, at once."""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi import APIRouter
from pydantic import Field

from trunkline_api import checks
from trunkline_api.checks import Finding
from trunkline_api.routes.answers import Asked, FieldProblem, Told
from trunkline_api.routes.callers import RunsReader, ServiceParts
from trunkline_api.routes.guards import PublicRoute
from trunkline_api.routes.values import Moment
from trunkline_common.http.problems import TYPE_PREFIX

router = APIRouter(prefix="/runs/{run_id}", tags=["runs"], route_class=PublicRoute)


class CheckAsked(Asked):
    """The start that is meant, if it is not at once."""

    start_at: Moment | None = None


class FindingTold(Told):
    """One problem, in the form in which a start would answer with it."""

    type: str
    title: str
    status: int
    detail: str | None
    blocks: bool = Field(description="a start is refused; else some are not reached, as it says")
    errors: list[FieldProblem]


class CheckTold(Told):
    """What was found; valid if nothing blocks."""

    valid: bool
    problems: list[FindingTold]


def _told(finding: Finding) -> FindingTold:
    problem = finding.problem
    return FindingTold(
        type=TYPE_PREFIX + problem.type_slug,
        title=problem.title,
        status=problem.status,
        detail=problem.detail,
        blocks=finding.blocks,
        errors=[FieldProblem.model_validate(dict(error)) for error in problem.errors or ()],
    )


@router.post("/validate")
async def validate_run(
    run_id: str, caller: RunsReader, parts: ServiceParts, asked: CheckAsked | None = None
) -> CheckTold:
    """Tell every problem of a draft with its place; nothing is started and nothing changes."""
    found = await checks.validate(
        parts.database,
        caller.business_id,
        run_id,
        start_at=asked.start_at if asked else None,
        now=datetime.now(UTC),
    )
    blocked = any(finding.blocks for finding in found)
    return CheckTold(valid=not blocked, problems=[_told(finding) for finding in found])
