"""What answers have in common: pages with cursors, strict requests, documented problems."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from trunkline_api import errors
from trunkline_api.domain.cursors import read_cursor, write_cursor

Item = TypeVar("Item")
Row = TypeVar("Row")

MOST_ON_A_PAGE: Final = 200
AFTER_EVERY_ID: Final = "~"  # sorts behind every id, so the first page is "before" it

Limit = Annotated[int, Query(ge=1, le=MOST_ON_A_PAGE, description="rows on a page")]
Cursor = Annotated[str | None, Query(max_length=200, description="`next_cursor` of the last page")]


Id = Annotated[str, StringConstraints(min_length=1, max_length=40)]


class Asked(BaseModel):
    """A request's body: a field that we do not know is a mistake worth telling."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Told(BaseModel):
    """An answer's body, read from a row."""

    model_config = ConfigDict(from_attributes=True, frozen=True)


class Page(BaseModel, Generic[Item]):
    """One page. `next_cursor` is there as long as there is more."""

    data: list[Item]
    has_more: bool
    next_cursor: str | None = None


class FieldProblem(BaseModel):
    """One place in a body that cannot be used."""

    pointer: str
    detail: str


class ProblemAnswer(BaseModel):
    """RFC 9457."""

    type: str
    title: str
    status: int
    detail: str | None = None
    errors: list[FieldProblem] | None = Field(default=None, description="with 422")


def position_in(cursor: str | None, *, start: str) -> str:
    """Where a page begins."""
    if cursor is None:
        return start
    position = read_cursor(cursor)
    if position is None:
        raise errors.invalid("query/cursor", "not a cursor of ours")
    return position


def number_in(cursor: str | None) -> int:
    """Where a page of numbered rows begins."""
    position = position_in(cursor, start="0")
    if not position.isdecimal() or len(position) > 9:
        raise errors.invalid("query/cursor", "not a cursor of this list")
    return int(position)


def page_of(
    rows: Sequence[Row],
    limit: int,
    told: Callable[[Row], Item],
    position: Callable[[Row], str | int],
) -> Page[Item]:
    """A page of rows that were asked for with one more than the limit."""
    shown = rows[:limit]
    more = len(rows) > limit
    cursor = write_cursor(str(position(shown[-1]))) if more else None
    return Page(data=[told(row) for row in shown], has_more=more, next_cursor=cursor)


def problem_answer(description: str) -> dict[str, Any]:
    """How an operation documents a refusal."""
    schema = {"$ref": "#/components/schemas/ProblemAnswer"}
    return {
        "model": ProblemAnswer,
        "description": description,
        "content": {"application/problem+json": {"schema": schema}},
    }


PROBLEMS: Final[dict[int | str, dict[str, Any]]] = {
    400: problem_answer("The body is not what it says it is"),
    401: problem_answer("No credential, or a wrong one"),
    403: problem_answer("The key lacks the scope that the detail names"),
    404: problem_answer("There is no such thing in this business"),
    409: problem_answer("The state of things does not allow it"),
    413: problem_answer("The body is too large"),
    422: problem_answer("Understood and refused; `errors` has the places"),
}
