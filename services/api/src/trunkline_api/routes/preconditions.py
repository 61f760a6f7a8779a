"""What editable things have in common: the `ETag` of what is told, and `If-Match` of what is asked.

Without `If-Match` a change is made to whatever is there: it is offered, not demanded.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import Header, Response

from trunkline_api.domain.etags import etag
from trunkline_api.routes.answers import problem_answer

IfMatch = Annotated[
    str | None,
    Header(
        max_length=1000,
        description="the `ETag` that was read: nothing is changed if it is another by now",
    ),
]
_TAGGED: Final[dict[str, Any]] = {
    "headers": {
        "ETag": {
            "schema": {"type": "string", "examples": ['"v3"']},
            "description": "this state; sent as `If-Match` it lets no other be changed",
        }
    }
}
MADE: Final[dict[int | str, dict[str, Any]]] = {201: _TAGGED}
READ: Final[dict[int | str, dict[str, Any]]] = {200: _TAGGED}
PRECONDITION: Final[dict[int | str, dict[str, Any]]] = {
    412: problem_answer("It has changed since it was read: `If-Match` names an older state")
}
CHANGED: Final = READ | PRECONDITION


def tell_etag(response: Response, version: int) -> None:
    """Say which state the answer tells."""
    response.headers["ETag"] = etag(version)
