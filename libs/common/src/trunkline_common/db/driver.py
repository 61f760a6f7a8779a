"""Statements below SQLAlchemy, on the session's own connection: for the few paths that feel it.

A statement costs a process 45 µs there instead of 175 µs. Whatever is not run thousands of times
a minute is better off with `session.execute`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession

_DRIVER: Final = "trunkline_driver"
_NAME: Final = re.compile(r"(?<![:\w\\]):(\w+)(?!:)")  # as `text` has it
_BEGIN: Final = text("SELECT 1")


async def fetch(
    session: AsyncSession, statement: TextClause, parameters: Mapping[str, Any]
) -> Sequence[Sequence[Any]]:
    """The rows of one statement in the session's transaction; none where it returns none.

    Ask for JSON as text: SQLAlchemy reads it, the driver does not.

    Errors are the driver's own: `db.faults` knows them. The first statement of a transaction goes
    through SQLAlchemy, which begins it.
    """
    sql, names = _numbered(statement)
    values = tuple(parameters[name] for name in names)
    driver = session.info.get(_DRIVER)
    if driver is not None and driver.is_in_transaction():
        rows: Sequence[Sequence[Any]] = await driver.fetch(sql, *values)
        return rows
    connection = await session.connection()
    first = await connection.exec_driver_sql(sql, values)
    beneath = connection.sync_connection
    if beneath is not None:
        session.info[_DRIVER] = beneath.connection.driver_connection
    return first.all() if first.returns_rows else ()


async def copy_into(
    session: AsyncSession,
    table: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
) -> None:
    """COPY rows into a table in the session's transaction: the way in for thousands at once.

    All or none; a row that breaks a constraint fails the transaction, with the driver's own error.
    JSON is given as text.
    """
    driver = session.info.get(_DRIVER)
    if driver is None or not driver.is_in_transaction():
        await fetch(session, _BEGIN, {})
        driver = session.info[_DRIVER]
    await driver.copy_records_to_table(table, columns=columns, records=rows)


@lru_cache(1_000)
def _numbered(statement: TextClause) -> tuple[str, tuple[str, ...]]:
    """The statement with `$1`, `$2`, … for its names, and the names in this order."""
    names: dict[str, int] = {}

    def number(found: re.Match[str]) -> str:
        return f"${names.setdefault(found[1], len(names) + 1)}"

    return _NAME.sub(number, statement.text), tuple(names)
