"""What outbound asks of a voice provider, whoever that is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
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
    machine_detection: str | None = None  # none, or what detection waits for
    detection_timeout: int = 30


class VoiceGateway(Protocol):
    """A provider of calls. It never repeats a request by itself."""

    async def place_call(self, order: CallOrder, may_send: Callable[[], bool]) -> Result:
        """Ask for one call; `may_send` is asked once more before the request's last byte leaves.

        Never raises for anything that the provider or the network does: the result says it.
        """
        ...


@dataclass(frozen=True, slots=True)
class AccountAccess:
    """A business's account with its provider, opened for a moment."""

    account: str
    auth_token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ProviderCall:
    """A call as its provider tells of it. `duration` in seconds, times on its clock.

    `direction` is the provider's word; `parent_id` is the call that opened this leg, if one did.
    """

    provider_id: str
    status: str
    created_at: datetime | None
    duration: int | None = None
    answered_by: str | None = None
    price: str | None = None
    price_unit: str | None = None
    direction: str = "outbound-api"
    parent_id: str | None = None
    from_number: str = ""
    to_number: str = ""
    started_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of calls; `told_at` is the provider's own time of the answer."""

    calls: tuple[ProviderCall, ...]
    told_at: datetime | None
    next_page: str | None = None


class CallRegistry(Protocol):
    """What a provider knows of calls. All of it may be asked again; `ProviderSilent` if not told.

    See `twilio_calls.TwilioCalls` for what each says.
    """

    async def between(self, access: AccountAccess, *, sender: str, to: str) -> Listing: ...

    async def of_day(
        self, access: AccountAccess, day: date, *, after: str | None = None
    ) -> Listing: ...

    async def fetch(self, access: AccountAccess, provider_id: str) -> ProviderCall | None: ...

    async def end(self, access: AccountAccess, provider_id: str, *, ringing_only: bool) -> bool: ...
