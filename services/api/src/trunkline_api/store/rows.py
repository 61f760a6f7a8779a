"""Rows of a result as frozen values, with the JSON in them read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, TypeVar

from sqlalchemy import Result

Row = TypeVar("Row")


def first(result: Result[Any], kind: type[Row], *, parsed: Sequence[str] = ()) -> Row | None:
    """The first row, or None where there is none."""
    row = result.mappings().first()
    return _value(row, kind, parsed) if row is not None else None


def only(result: Result[Any], kind: type[Row], *, parsed: Sequence[str] = ()) -> Row:
    """The one row of a statement that always answers with one."""
    return _value(result.mappings().one(), kind, parsed)


def every(result: Result[Any], kind: type[Row], *, parsed: Sequence[str] = ()) -> list[Row]:
    """All rows, in the result's order."""
    return [_value(row, kind, parsed) for row in result.mappings()]


def _value(row: Any, kind: type[Row], parsed: Sequence[str]) -> Row:
    return kind(
        **{k: json.loads(v) if k in parsed and v is not None else v for k, v in row.items()}
    )
