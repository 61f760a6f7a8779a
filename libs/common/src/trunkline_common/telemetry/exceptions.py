"""What an error may say of itself: what went wrong, never the numbers, names or texts it was about.

A database repeats the row it refused, a driver the argument it could not read, a validation the
input; so a message is said only as far as it cannot have any of them in it.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from typing import Final

from pydantic import ValidationError

from trunkline_common.telemetry.redaction import redact

_DATABASE: Final = ("sqlalchemy", "asyncpg")
_OF_VALUES: Final = "22"  # the class of errors whose very message repeats what was given
_LENGTH: Final = 500


def told(error: BaseException) -> str:
    """The message of an error without anybody's data; may be empty, as a message may."""
    if type(error).__module__.startswith(_DATABASE):
        return _of_database(error)[:_LENGTH]
    if isinstance(error, ValidationError):
        faults = error.errors(include_input=False, include_url=False, include_context=False)
        places = (f"{'.'.join(map(str, one['loc'])) or 'input'}: {one['type']}" for one in faults)
        return f"{error.title}: {'; '.join(places)}"[:_LENGTH]
    return redact(str(error))


def named(error: BaseException) -> str:
    """The error's kind and what it says, for a field of a log line."""
    said = told(error)
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def _of_database(error: BaseException) -> str:
    source = _source(error)
    state = str(getattr(source, "sqlstate", None) or "")
    said = [state] if state else []
    if source.__class__.__module__.startswith("asyncpg") and not state.startswith(_OF_VALUES):
        said.append(str(source.args[0]) if source.args else "")  # DETAIL is not among them
    elif source is error and not state and not getattr(error, "orig", None):
        said.append(str(error).partition("\n")[0])  # of the pool or of a missing row
    statement = getattr(error, "statement", None)
    if statement:
        said.append(f"[SQL: {' '.join(str(statement).split())[:200]}]")
    return redact(" ".join(part for part in said if part))


def _source(error: BaseException) -> BaseException:
    """The driver's own error beneath SQLAlchemy's two."""
    while type(error).__module__.startswith("sqlalchemy"):
        inner = getattr(error, "orig", None) or error.__cause__
        if not isinstance(inner, BaseException):
            break
        error = inner
    return error


def shown(error: BaseException) -> str:
    """The traceback as Python shows it, with what may be told in the place of each message."""
    return redact("\n".join(_lines(error, set())))


def _lines(error: BaseException, seen: set[int]) -> Iterator[str]:
    seen.add(id(error))
    earlier = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if earlier is not None and id(earlier) not in seen:
        yield from _lines(earlier, seen)
        yield "\nand while that was handled:\n" if error.__cause__ is None else "\nand from that:\n"
    yield "Traceback (most recent call last):"
    for frame in traceback.format_tb(error.__traceback__):
        yield frame.rstrip("\n")
    yield named(error)
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            if id(inner) not in seen:
                yield "  which holds:"
                yield from _lines(inner, seen)
