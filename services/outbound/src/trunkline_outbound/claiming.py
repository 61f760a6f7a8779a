"""Which claims this worker takes: business by business, within its places, and none in vain."""

from __future__ import annotations

import time
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from functools import partial

from prometheus_client import Counter

from trunkline_common.db import Database, transaction
from trunkline_common.db.retry import retried
from trunkline_outbound.claims import NotNow, next_claim
from trunkline_outbound.domain.fairness import fair_share
from trunkline_outbound.held import Held, HeldClaims
from trunkline_outbound.store import runs
from trunkline_outbound.store.claims import Claim, Lease
from trunkline_outbound.turns import Pauses, Turns

TAKEN = Counter("trunkline_claims_total", "Claims handed out to this process", ["kind"])


@dataclass(frozen=True, slots=True)
class ClaimTerms:
    """For whom claims are taken, and how much at most."""

    lease: Lease
    size: int
    places: int
    slice: int  # jobs after which a claim makes way for a business that has no place
    weights: MutableMapping[str, float]  # by business, as of its last look for work


class Claiming:
    """Takes claims for one worker. A business alone may have every place, and gives them back."""

    def __init__(
        self, database: Database, held: HeldClaims, turns: Turns, pauses: Pauses, terms: ClaimTerms
    ) -> None:
        self._database = database
        self._held = held
        self._turns = turns
        self._pauses = pauses
        self._terms = terms
        self._share = terms.places
        self._short: set[str] = set()  # businesses below their share while no place is free

    async def take(self, now: float) -> Held | None:
        """A claim for a free place, if there is one and somebody has work that may be sent."""
        async with transaction(self._database) as session:
            live = await runs.live_runs(session)
        paced = self._held.paced_runs()
        waiting: dict[str, list[str]] = {}
        self._terms.weights.update((run.business_id, run.weight) for run in live)
        for run in live:
            if run.run_id not in paced and not self._pauses.holds(run.run_id, now):
                waiting.setdefault(run.business_id, []).append(run.run_id)
        while waiting:
            candidates = self._candidates(waiting)
            if not candidates:
                return None
            business_id = self._turns.choose(candidates)
            held = await self._first_of(waiting.pop(business_id))
            if held is not None:
                return held
        self._short.clear()
        return None

    def _candidates(self, waiting: Mapping[str, object]) -> set[str]:
        """Who may have the next place: those below their share; all, if nobody is."""
        taken = self._held.places()
        self._share = fair_share(self._terms.places, len(taken.keys() | waiting.keys()))
        short = {b for b in waiting if taken[b] < self._share}
        if taken.total() >= self._terms.places:
            self._short = short
            return set()
        self._short.clear()
        return short or set(waiting)

    async def _first_of(self, run_ids: list[str]) -> Held | None:
        for run_id in run_ids:
            asked_at, rung = time.monotonic(), self._pauses.rung
            work = partial(
                next_claim, self._database, run_id, lease=self._terms.lease, wanted=self._terms.size
            )
            match await retried("claim", work):
                case Claim() as claim:
                    TAKEN.labels(claim.kind).inc()
                    self._turns.charge(claim.business_id, self._worth(claim))
                    return self._held.hold(claim, asked_at=asked_at)
                case NotNow(retry_in, until_rung):
                    until = asked_at + retry_in
                    self._pauses.add(run_id, until=until, until_rung=until_rung, rung=rung)
                case None:
                    pass  # somebody else was faster
        return None

    def _worth(self, claim: Claim) -> int:
        return claim.span or self._terms.size

    def must_yield(self, held: Held) -> bool:
        """Whether this claim is the one to make way for a business that has less than its share.

        Each such business is made way for once.
        """
        if not held.has_place or not self._short or held.business_id in self._short:
            return False
        over = self._held.places()[held.business_id] > self._share
        if not over and held.admitted < self._terms.slice:
            return False
        self._short.pop()
        return True

    def leave_place(self, held: Held) -> None:
        """Free a claim's place, once; its business pays for what was admitted by then."""
        if held.has_place:
            held.has_place = False
            self._turns.charge(held.business_id, max(1, held.admitted) - self._worth(held.claim))
