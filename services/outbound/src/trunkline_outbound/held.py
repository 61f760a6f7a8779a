"""The claims that one dispatcher holds, and for how long it may trust them."""

from __future__ import annotations

import logging
import time
from collections import Counter
from dataclasses import dataclass

from trunkline_common.db import Database, transaction
from trunkline_outbound.store import claims
from trunkline_outbound.store.claims import Claim, Lease

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Held:
    """A claim in hand. `trusted_until` on the monotonic clock, used only to stop sooner.

    `has_place`: it takes one of the worker's places; not while it only waits for its pace or for
    answers. `wakes`: others can go on with it at once when it is let go of. `is_paced`: it goes on
    by itself whenever its pace allows.
    """

    claim: Claim
    trusted_until: float
    lost: bool = False
    has_place: bool = True
    admitted: int = 0
    wakes: bool = True
    is_paced: bool = False

    @property
    def business_id(self) -> str:
        """Whose jobs it holds."""
        return self.claim.business_id

    def is_trusted(self) -> bool:
        """Whether its jobs may still be sent as far as this process can know."""
        return not self.lost and time.monotonic() < self.trusted_until


class HeldClaims:
    """All claims of one dispatcher; renewed together, trusted from before the renewal began."""

    def __init__(self, database: Database, *, owner: str, lease: float, margin: float) -> None:
        self._database = database
        self._owner = owner
        self._lease = lease
        self._margin = margin
        self._held: dict[int, Held] = {}

    def __len__(self) -> int:
        return len(self._held)

    def places(self) -> Counter[str]:
        """Places taken, by business."""
        return Counter(held.business_id for held in self._held.values() if held.has_place)

    def paced_runs(self) -> set[str]:
        """Runs with a claim here that goes on by itself: another would only wait beside it."""
        return {held.claim.run_id for held in self._held.values() if held.is_paced}

    def hold(self, claim: Claim, *, asked_at: float) -> Held:
        """Note a claim that was handed out by a transaction begun at `asked_at`."""
        held = Held(claim, asked_at + self._lease - self._margin)
        self._held[claim.claim_id] = held
        return held

    def drop(self, held: Held) -> None:
        """Forget a claim; its lease is not renewed any more, unless it was taken again."""
        if self._held.get(held.claim.claim_id) is held:
            del self._held[held.claim.claim_id]

    async def renew(self) -> None:
        """Extend every lease; a claim that is not ours any more is lost at once."""
        if not self._held:
            return
        asked_at = time.monotonic()
        tokens = {held.claim.claim_id: held.claim.token for held in self._held.values()}
        async with transaction(self._database) as session:
            kept = await claims.renew(session, tokens, Lease(self._owner, self._lease))
        for claim_id, token in tokens.items():
            held = self._asked_about(claim_id, token)
            if held is None:
                continue
            if claim_id in kept:
                held.trusted_until = asked_at + self._lease - self._margin
            else:
                held.lost = True
                log.warning("claim.lost", extra={"claim": claim_id})

    async def verify(self) -> None:
        """Look whether every claim is still ours: a cancel or a pause has rung."""
        tokens = {held.claim.claim_id: held.claim.token for held in self._held.values()}
        if not tokens:
            return
        async with transaction(self._database) as session:
            standing = await claims.still_ours(session, tokens, owner=self._owner)
        for claim_id in tokens.keys() - standing:
            if held := self._asked_about(claim_id, tokens[claim_id]):
                held.lost = True
                log.warning("claim.revoked", extra={"claim": claim_id})

    def _asked_about(self, claim_id: int, token: int) -> Held | None:
        """What an answer is about; not a claim that was let go of and taken again meanwhile."""
        held = self._held.get(claim_id)
        return held if held is not None and held.claim.token == token else None
