"""What outbound asks of a voice provider, whoever that is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from trunkline_outbound.domain.classification import Result


@dataclass(frozen=True, slots=True)
class CallOrder:
    """One call to place. Numbers in E.164, times in seconds; no `recording_url`, no recording."""

    account: str
    auth_token: str
    from_number: str
    to_number: str
    script_url: str
    status_url: str
    recording_url: str | None
    ring_timeout: int
    time_limit: int


class VoiceGateway(Protocol):
    """A provider of calls. It never repeats a request by itself."""

    async def place_call(self, order: CallOrder, may_send: Callable[[], bool]) -> Result:
        """Ask for one call; `may_send` is asked once more before the request's last byte leaves.

        Never raises for anything that the provider or the network does: the result says it.
        """
        ...
