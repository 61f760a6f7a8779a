"""Rows of a result as frozen values. The driver reads JSON columns itself."""

from __future__ import annotations

from typing import Any, TypeVar

from sqlalchemy import Result

Row = TypeVar("Row")


def first(result: Result[Any], kind: type[Row]) -> Row | None:
    """The first row, or None where there is none."""
    row = result.mappings().first()
    return kind(**row) if row is not None else None


def only(result: Result[Any], kind: type[Row]) -> Row:
    """The one row of a statement that always answers with one."""
    return kind(**result.mappings().one())


def every(result: Result[Any], kind: type[Row]) -> list[Row]:
    """All rows, in the result's order."""
    return [kind(**row) for row in result.mappings()]
