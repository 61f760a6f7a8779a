"""What recordings asks of a provider that keeps audio, whoever that is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from trunkline_common.outcomes import TrunklineError
from trunkline_recordings.domain.outcomes import Outcome


class NoAudio(TrunklineError):
    """The audio could not be had this time; `outcome` says what that means."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.reason or outcome.kind)
        self.outcome = outcome


@dataclass(frozen=True, slots=True)
class AudioOrder:
    """One recording to fetch, by ids alone: no address is ever taken from a callback."""

    account: str
    auth_token: str = field(repr=False)
    provider_recording_id: str
    channels: int | None = None


@dataclass(frozen=True, slots=True)
class Audio:
    """An answer under way. `length` as announced; `chunks` raises `NoAudio` if it breaks off."""

    content_type: str
    length: int | None
    chunks: AsyncIterator[bytes]


class AudioGateway(Protocol):
    """A provider of recordings. Fetching twice is harmless."""

    def fetch(self, order: AudioOrder) -> AbstractAsyncContextManager[Audio]:
        """The audio while the block runs, or `NoAudio`."""
        ...
