"""What a failure of the database means: that it is not there, or that it did not like the work."""

from __future__ import annotations

from typing import Final

import asyncpg
from sqlalchemy.exc import DBAPIError, InterfaceError
from sqlalchemy.exc import TimeoutError as PoolTimeout

_AWAY: Final = ("08", "57P", "53")  # connection, shutdown, out of resources
_CONTENTION: Final = frozenset({"40P01", "40001", "55P03"})  # deadlock, serialization, lock timeout


def sqlstate(error: BaseException) -> str:
    """The server's five letters for an error, or nothing where they are not known."""
    cause: BaseException | None = error.orig if isinstance(error, DBAPIError) else error
    return str(getattr(cause, "sqlstate", None) or "")


def is_away(error: BaseException) -> bool:
    """Whether an error says that the database is not there, rather than what was asked of it."""
    if isinstance(error, DBAPIError):
        return (
            error.connection_invalidated
            or isinstance(error, InterfaceError)
            # What asyncpg says of a connection that ended between two looks at it.
            or type(error.orig).__name__ == "InternalClientError"
            or sqlstate(error).startswith(_AWAY)
        )
    if isinstance(error, asyncpg.InterfaceError | asyncpg.InternalClientError):
        return not isinstance(error, ValueError)  # that is an argument it cannot write
    return isinstance(error, OSError | PoolTimeout) or sqlstate(error).startswith(_AWAY)


def is_contention(error: BaseException) -> bool:
    """Whether an error says that others held the locks: rolled back, and worth doing again."""
    return sqlstate(error) in _CONTENTION
