"""What an intent's transaction admitted, and what it was about to if nobody hears of its commit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from trunkline_outbound.store.attempts import NewAttempt
from trunkline_outbound.store.channels import Channel
from trunkline_outbound.store.runs import Run

NO_ROOM_DELAY = 15.0  # only if the hint of a freed slot is lost


@dataclass(frozen=True, slots=True)
class Intents:
    """What one transaction admitted.

    `granted[i]` may leave `first_in + i * interval` seconds from now. `lost`: the claim is not
    ours any more. `drained`: nothing of it is queued now. `count`: what went in all.
    With nothing granted, `retry_in` is when to ask again; `until_rung`: sooner if WORK is rung.
    """

    granted: Sequence[NewAttempt] = ()
    channel: Channel | None = None
    first_in: float = 0.0
    interval: float = 0.0
    lost: bool = False
    drained: bool = False
    count: int = 0
    retry_in: float = 0.0
    until_rung: bool = False
    run: Run | None = None  # with the policy of now
    leaves_in: Sequence[float] = ()  # seconds, for each, where numbers have a pace of their own

    def leaves_at(self, place: int) -> float:
        """When the granted one at this place may leave, in seconds from now."""
        return self.leaves_in[place] if self.leaves_in else self.first_in + place * self.interval


NO_ROOM = Intents(retry_in=NO_ROOM_DELAY, until_rung=True)


@dataclass(slots=True)
class Draft:
    """Attempt ids of a transaction under way, so that a commit without an answer can be settled."""

    attempt_ids: list[str] = field(default_factory=list)
