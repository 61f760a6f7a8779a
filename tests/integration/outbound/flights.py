"""What a worker of the protocol's game has in its hands: claims, and calls on their way."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from trunkline_outbound.domain.classification import Result
from trunkline_outbound.records import Recorded
from trunkline_outbound.sending import Departure
from trunkline_outbound.store.claims import Claim

LEASE: Final = 30.0
TRUST: Final = 20.0
SEND_DEADLINE: Final = 10.0
LONGEST_BODY: Final = 60.0  # for so long a provider waits for the rest of a request, at most
UNANSWERED: Final = Result("not_sent", reason="intent_commit_unanswered")
IN_TIME: Final = Result("not_sent", reason="not_sent_in_time")
SILENCE: Final = Result("in_doubt", reason="reset")


@dataclass(eq=False)
class Hand:
    """A claim in a worker's hand, trusted until this moment of the world's clock."""

    claim: Claim
    trusted_until: float


@dataclass(eq=False)
class Flight:
    """An admitted call on its way, from its intent until its result is recorded."""

    departure: Departure
    hand: Hand
    leaves_by: float
    arrives_by: float = 0.0

    @property
    def attempt_id(self) -> str:
        return self.departure.attempt.attempt_id

    def recorded(self, result: Result) -> Recorded:
        return Recorded(self.attempt_id, self.hand.claim.run_id, result)


@dataclass(eq=False)
class Worker:
    """One dispatcher: what it holds, what may leave, what is on the wire, what it has heard."""

    owner: str
    hands: list[Hand] = field(default_factory=list)
    ready: list[Flight] = field(default_factory=list)
    wire: list[Flight] = field(default_factory=list)
    heard: list[tuple[Flight, Result]] = field(default_factory=list)
    written: list[Recorded] = field(default_factory=list)

    def flies_for(self, hand: Hand) -> bool:
        """Whether something of this claim is under way: until then it is not let go of."""
        flights = [*self.ready, *self.wire, *(flight for flight, _ in self.heard)]
        return any(flight.hand is hand for flight in flights)
