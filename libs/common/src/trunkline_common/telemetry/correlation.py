"""The id that joins everything one request caused, wherever it happens."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import uuid_utils

_current: ContextVar[str | None] = ContextVar("trunkline_correlation", default=None)
_ACCEPTED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")


def correlation_id() -> str:
    """The current correlation id; a new one is born where there was none."""
    return _current.get() or new_correlation_id()


def current_correlation_id() -> str | None:
    """The current correlation id, if work of a request is under way."""
    return _current.get()


def new_correlation_id() -> str:
    """An id for a request that brought none."""
    return str(uuid_utils.uuid7())


def accepted_correlation_id(text: str | None) -> str:
    """What a caller gave, if it is fit for headers and logs; a new id otherwise."""
    return text if text and _ACCEPTED.fullmatch(text) else new_correlation_id()


@contextmanager
def correlated(value: str) -> Iterator[None]:
    """Work in the block belongs to this correlation id."""
    token = _current.set(value)
    try:
        yield
    finally:
        _current.reset(token)
