"""A voice provider in memory, whose append-only log of what it accepted is a test's witness."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from trunkline_outbound.domain.classification import Result
from trunkline_outbound.gateways.voice import AccountAccess, CallOrder, Listing, ProviderCall

# What a call goes through once it is there, by how it ends.
WAYS: Final = {
    "busy": ("ringing", "busy"),
    "completed": ("ringing", "in-progress", "completed"),
    "no-answer": ("ringing", "no-answer"),
    "failed": ("failed",),
}
OVER: Final = frozenset({"completed", "busy", "no-answer", "failed", "canceled"})
# `lost_hidden`: made, and not in the provider's list until its first word, which may be very late.
ANSWERS: Final = (
    "accepted",
    "lost_made",
    "lost_unmade",
    "rejected",
    "later",
    "not_sent",
    "lost_hidden",
)

_LOST: Final = Result("in_doubt", reason="time-out")
_RESULTS: Final = {
    "lost_unmade": _LOST,
    "rejected": Result("rejected", code="21211"),
    "later": Result("later", code="20429", retry_after=5.0),
    "not_sent": Result("not_sent", reason="withheld"),
}


@dataclass
class WitnessedCall:
    """One accepted request. `said` grows with every status."""

    provider_id: str
    attempt_id: str
    account: str
    sender: str
    to: str
    created_at: datetime
    said: list[str] = field(default_factory=lambda: ["queued"])
    was_hidden: bool = False

    @property
    def is_hidden(self) -> bool:
        return self.was_hidden and self.said == ["queued"]

    @property
    def is_over(self) -> bool:
        return self.said[-1] in OVER

    def advance(self, ends_as: str) -> str:
        """The next status on the way to this end."""
        way = WAYS[ends_as]
        last = self.said[-1]
        self.said.append(way[way.index(last) + 1] if last in way else _start(way, last))
        return self.said[-1]

    def shown(self) -> ProviderCall:
        return ProviderCall(self.provider_id, self.said[-1], self.created_at, duration=7)


def _start(way: tuple[str, ...], last: str) -> str:
    return way[0] if last == "queued" else way[-1]


@dataclass
class Witness:
    """A `VoiceGateway` that answers as planned, and a `CallRegistry` of what it accepted."""

    accepted: list[WitnessedCall] = field(default_factory=list)
    planned: dict[str, str] = field(default_factory=dict)
    ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    async def place_call(self, order: CallOrder, may_send: Callable[[], bool]) -> Result:
        attempt_id = order.status_url.split("/")[-3]
        answer = self.planned.pop(attempt_id)
        if not may_send():
            answer = "not_sent"
        if answer in _RESULTS:
            return _RESULTS[answer]
        call = WitnessedCall(
            f"CA{next(self.ids):032x}",
            attempt_id,
            order.account,
            order.from_number,
            order.to_number,
            datetime.now(UTC),
            was_hidden=answer == "lost_hidden",
        )
        self.accepted.append(call)
        return Result("accepted", provider_id=call.provider_id) if answer == "accepted" else _LOST

    def alive(self) -> list[WitnessedCall]:
        return [call for call in self.accepted if not call.is_over]

    def grow_older(self, seconds: float) -> None:
        """Its clock goes on as everybody's does."""
        for call in self.accepted:
            call.created_at -= timedelta(seconds=seconds)

    async def between(self, access: AccountAccess, *, sender: str, to: str) -> Listing:
        calls = [
            call.shown()
            for call in self.accepted
            if (call.account, call.sender, call.to) == (access.account, sender, to)
            and not call.is_hidden
        ]
        return Listing(tuple(calls), datetime.now(UTC))

    async def of_day(self, *_page: object, **_more: object) -> Listing:
        return Listing((), datetime.now(UTC))

    async def fetch(self, _access: AccountAccess, provider_id: str) -> ProviderCall | None:
        known = {call.provider_id: call for call in self.accepted}
        return known[provider_id].shown() if provider_id in known else None

    async def end(self, _access: AccountAccess, provider_id: str, *, ringing_only: bool) -> bool:
        for call in self.alive():
            if call.provider_id == provider_id:
                is_talking = call.said[-1] == "in-progress"
                if ringing_only and is_talking:
                    return False
                call.said.append("completed" if is_talking else "canceled")
                return True
        return False
