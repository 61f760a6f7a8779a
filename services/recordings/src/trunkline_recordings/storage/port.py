"""What recordings asks of an object storage, whatever that is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from trunkline_common.outcomes import TrunklineError


class StorageFailed(TrunklineError):
    """The storage could not do it this time: full, away, or refusing."""


class AlreadyStored(TrunklineError):
    """There is an object under this key; it was not touched."""


class RecordingStore(Protocol):
    """Objects under keys. What a reader can see is always whole."""

    async def create(self, key: str, chunks: AsyncIterator[bytes]) -> None:
        """Store an object, or raise `AlreadyStored`, in both cases with all of `chunks` read.

        If `chunks` raises, nothing is there.
        """
        ...

    def read(self, key: str) -> AsyncIterator[bytes]:
        """The object's bytes; `FileNotFoundError` without one."""
        ...

    async def delete(self, key: str) -> None:
        """Remove an object; without one, do nothing."""
        ...

    async def tidy(self) -> int:
        """Remove what lost writers left behind, long after; how many things went."""
        ...
