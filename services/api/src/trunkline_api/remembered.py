"""What requests ask for by the hundred a second and what seldom changes: read once for a while."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Remembered(Generic[Value]):
    """At most so many values, each for at most so many seconds after it was read."""

    def __init__(self, *, seconds: float, most: int) -> None:
        self._seconds = seconds
        self._most = most
        self._known: dict[str, tuple[Value, float]] = {}
        self._forgotten = 0

    async def of(
        self, key: str, read: Callable[[], Awaitable[Value | None]], *, past: Value | None = None
    ) -> Value | None:
        """The value, read where it is not remembered; `past` asks for another than this one.

        That there is none is not remembered. Nor is what was being read while something was
        forgotten: it may be the value of before.
        """
        known = self._known.get(key)
        if known and known[0] is not past and time.monotonic() < known[1] + self._seconds:
            return known[0]
        began, forgotten = time.monotonic(), self._forgotten
        value = await read()
        if value is not None and forgotten == self._forgotten:
            self._known.pop(key, None)  # the last to be read is the last to go
            if len(self._known) >= self._most:
                del self._known[next(iter(self._known))]
            self._known[key] = (value, began)
        return value

    def forget(self, key: str) -> None:
        """Read it again, whoever asks next."""
        self._forgotten += 1
        self._known.pop(key, None)
