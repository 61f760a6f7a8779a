"""What has a word in every commit of a request, in the transaction that it is about."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

Witness = Callable[[AsyncSession], Awaitable[None]]

_WITNESS: Final[ContextVar[Witness | None]] = ContextVar("trunkline_commit_witness", default=None)


@contextmanager
def witnessed(witness: Witness) -> Iterator[None]:
    """Call `witness` last in each transaction of this task that is about to commit.

    What it writes is committed with the rest, and if it raises, nothing is.
    """
    token = _WITNESS.set(witness)
    try:
        yield
    finally:
        _WITNESS.reset(token)


def current_witness() -> Witness | None:
    """Who is to be asked in this task; mostly nobody."""
    return _WITNESS.get()
