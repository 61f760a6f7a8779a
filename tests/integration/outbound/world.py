"""Outbound's protocol as a handful of steps on real tables: workers, a provider, and a clock.

Time is what the tables say: to let it pass is to move every row's times into the past, and the
provider's with them. Whoever works here does only what `dispatch.py` and `app.py` do, step by step.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from tests.integration.outbound.flights import (
    IN_TIME,
    LEASE,
    LONGEST_BODY,
    SEND_DEADLINE,
    SILENCE,
    TRUST,
    UNANSWERED,
    Flight,
    Hand,
    Worker,
)
from tests.integration.outbound.scene import SEALER, Scene
from tests.integration.outbound.witness import Witness, WitnessedCall

from trunkline_common.db import Database, transaction
from trunkline_common.db.retry import retried
from trunkline_outbound import runs as lives
from trunkline_outbound.accounts import Accounts
from trunkline_outbound.admitted import Draft
from trunkline_outbound.cancelling import finish_cancelled
from trunkline_outbound.claims import doubt_stranded, next_claim
from trunkline_outbound.domain.classification import Result
from trunkline_outbound.doubts import Patience, resolve_doubts
from trunkline_outbound.folding import fold_calls
from trunkline_outbound.horizons import Horizons, close_silent
from trunkline_outbound.intents import commit_intents
from trunkline_outbound.news import hang_up, poll_silent_calls
from trunkline_outbound.records import Recorded, record
from trunkline_outbound.results import fold_messages
from trunkline_outbound.sending import CallSender, Departure
from trunkline_outbound.store import claims, runs
from trunkline_outbound.store.claims import Claim, Lease
from trunkline_outbound.surplus import brake_surplus

_OLDER: Final = """
WITH shift AS (SELECT make_interval(secs => :s) AS by),
 a AS (UPDATE claims SET expires_at = expires_at - by FROM shift),
 b AS (UPDATE jobs SET due_at = due_at - by, changed_at = changed_at - by FROM shift),
 c AS (UPDATE attempts SET intent_at = intent_at - by, send_deadline = send_deadline - by,
              poll_at = poll_at - by, resolved_at = resolved_at - by FROM shift),
 d AS (UPDATE calls SET dialled_at = dialled_at - by, poll_at = poll_at - by,
              hang_up_asked_at = hang_up_asked_at - by, ended_at = ended_at - by FROM shift),
 e AS (UPDATE surplus_calls SET try_at = try_at - by FROM shift),
 f AS (UPDATE pace SET tat = tat - by, limited_at = limited_at - by FROM shift),
 g AS (UPDATE slots SET taken_at = taken_at - by FROM shift)
SELECT 1
"""

_EXPIRE: Final = """
UPDATE claims SET expires_at = clock_timestamp() WHERE claim_id = ANY (CAST(:ids AS bigint[]))
RETURNING 1
"""


@dataclass
class World:
    """Everything there is. `now` in seconds; nothing here moves it but `pass_time`."""

    database: Database
    witness: Witness = field(default_factory=Witness)
    workers: list[Worker] = field(
        default_factory=lambda: [Worker("w1"), Worker("w2"), Worker("w3")]
    )
    callbacks: list[tuple[WitnessedCall, str, int]] = field(default_factory=list)
    now: float = 0.0
    epoch: int = 0  # grows whenever leases may have run out
    renewed: list[tuple[int, int, str]] = field(default_factory=list)  # claim, token, owner
    lives: itertools.count[int] = field(default_factory=itertools.count)

    @property
    def sender(self) -> CallSender:
        where = {"callback_base": "http://api.test", "callback_secret": "secret"}
        return CallSender(self.witness, sealer=SEALER, **where)

    async def claim(self, worker: Worker, pick: int, *, wanted: int = 3) -> None:
        async with transaction(self.database) as session:
            live = await runs.live_runs(session)
        if live:
            await self.claim_of(worker, live[pick % len(live)].run_id, wanted=wanted)

    async def claim_of(self, worker: Worker, run_id: str, *, wanted: int = 3) -> None:
        """A run is picked without a lock: by now it may stand, or be over."""
        lease = Lease(worker.owner, LEASE)
        asked_at = self.now
        ask = partial(next_claim, self.database, run_id, lease=lease, wanted=wanted)
        taken = await retried("claim", ask)
        if isinstance(taken, Claim):
            worker.hands.append(Hand(taken, asked_at + TRUST))

    async def intend(self, worker: Worker, pick: int, *, wanted: int, answered: bool) -> None:
        """Not asked whether the lease is trusted: a process may stall after it looked."""
        if not worker.hands:
            return
        hand = worker.hands[pick % len(worker.hands)]
        async with transaction(self.database) as session:
            run = await runs.get_run(session, hand.claim.run_id)
        assert run is not None
        work = partial(
            commit_intents,
            self.database,
            hand.claim,
            run,
            owner=worker.owner,
            wanted=wanted,
            deadline=SEND_DEADLINE,
            draft=Draft(),
        )
        intents = await retried("intents", work)
        if intents.lost and hand in worker.hands:
            worker.hands.remove(hand)
        leaves_by = self.now + SEND_DEADLINE
        for attempt in intents.granted:
            assert intents.channel is not None
            departure = Departure(attempt, intents.run or run, intents.channel, 0.0, 0.0)
            flight = Flight(departure, hand, leaves_by)
            if answered:
                worker.ready.append(flight)
            else:
                worker.heard.append((flight, UNANSWERED))

    async def depart(self, worker: Worker, pick: int) -> None:
        """The last look at deadline and trust; after it only the provider's patience counts."""
        if not worker.ready:
            return
        flight = worker.ready.pop(pick % len(worker.ready))
        if self.now < min(flight.leaves_by, flight.hand.trusted_until):
            flight.arrives_by = self.now + LONGEST_BODY
            worker.wire.append(flight)
        else:
            worker.heard.append((flight, IN_TIME))

    async def arrive(self, worker: Worker, pick: int, answer: str) -> None:
        if not worker.wire:
            return
        flight = worker.wire.pop(pick % len(worker.wire))
        worker.heard.append((flight, await self._answer(flight, answer)))

    async def _answer(self, flight: Flight, answer: str) -> Result:
        self.witness.planned[flight.attempt_id] = answer
        return await self.sender.send(flight.departure, lambda: True)

    async def write(self, worker: Worker) -> None:
        """Record what was heard."""
        batch = [
            Recorded(flight.attempt_id, flight.hand.claim.run_id, result)
            for flight, result in worker.heard
        ]
        worker.heard.clear()
        if batch:
            worker.written += batch
            await retried("record", partial(record, self.database, batch))

    async def write_again(self, worker: Worker, pick: int) -> None:
        """A commit whose answer was lost is repeated, at any later time."""
        if worker.written:
            old = worker.written[pick % len(worker.written)]
            await retried("record", partial(record, self.database, [old]))

    async def let_go(self, worker: Worker, pick: int) -> None:
        idle = [hand for hand in worker.hands if not worker.flies_for(hand)]
        if idle:
            hand = idle[pick % len(idle)]
            worker.hands.remove(hand)
            await retried("let_go", partial(self._let_go, worker.owner, hand.claim))

    async def _let_go(self, owner: str, claim: Claim) -> None:
        async with transaction(self.database) as session:
            await runs.lock_cursor(session, claim.run_id)
            if not await claims.close(session, claim, owner=owner):
                await claims.release(session, claim, owner=owner)

    async def renew(self, worker: Worker) -> None:
        """Of a claim that it took over from itself, the newer hand is the one it renews."""
        held, asked_at = {hand.claim.claim_id: hand for hand in worker.hands}, self.now
        if not held:
            return
        tokens = {claim_id: hand.claim.token for claim_id, hand in held.items()}
        async with transaction(self.database) as session:
            kept = await claims.renew(session, tokens, Lease(worker.owner, LEASE))
        for hand in held.values():
            if hand.claim.claim_id in kept:
                self.renewed.append((hand.claim.claim_id, hand.claim.token, worker.owner))
                hand.trusted_until = asked_at + TRUST
            else:
                hand.trusted_until = min(hand.trusted_until, self.now)
                if hand in worker.hands:
                    worker.hands.remove(hand)

    async def stall(self, worker: Worker) -> None:
        """It does not get to renew until its leases are over; what is on the wire still goes."""
        self.epoch += 1
        ids = [hand.claim.claim_id for hand in worker.hands]
        for hand in worker.hands:
            hand.trusted_until = self.now
        await self._do(_EXPIRE, ids=ids)

    async def crash(self, worker: Worker, *, arrives: bool) -> None:
        """It is gone with all it knew; what was on the wire may still reach the provider."""
        wire = list(worker.wire)
        for kept in (worker.hands, worker.ready, worker.wire, worker.heard, worker.written):
            kept.clear()
        worker.owner = f"{worker.owner.split('.')[0]}.{next(self.lives)}"
        for flight in wire:
            await self._answer(flight, "lost_made" if arrives else "lost_unmade")

    async def work(self, worker: Worker, answer: str) -> None:
        """The whole way of a handful, but for writing down what came of it."""
        await self.claim(worker, 0)
        for pick in range(len(worker.hands)):
            await self.intend(worker, pick, wanted=3, answered=True)
        while worker.ready:
            await self.depart(worker, 0)
        while worker.wire:
            await self.arrive(worker, 0, answer)

    async def progress(self, pick: int, ends_as: str) -> None:
        """One live call goes a step further, and says so."""
        alive = self.witness.alive()
        if alive:
            call = alive[pick % len(alive)]
            status = call.advance(ends_as)
            self.callbacks.append((call, status, len(call.said)))

    async def call_back(self, scenes: list[Scene], pick: int, *, again: bool) -> None:
        """One callback arrives, whichever; it may come again."""
        if not self.callbacks:
            return
        place = pick % len(self.callbacks)
        call, status, number = self.callbacks[place]
        if not again:
            del self.callbacks[place]
        scene = next(s for s in scenes if s.account == call.account)
        more = {"sequence_number": number, "duration": 7}
        await scene.report(call.attempt_id, call.provider_id, status, **more)

    async def end_call(self, pick: int, ends_as: str) -> None:
        alive = self.witness.alive()
        if alive:
            call = alive[pick % len(alive)]
            while not call.is_over:
                await self.progress(self.witness.alive().index(call), ends_as)

    # ---- what `reconcile` does ----

    async def fold(self) -> None:
        await retried("fold", partial(fold_calls, self.database, batch=50))
        await retried("fold", partial(fold_messages, self.database, batch=50))

    async def ask(self) -> None:
        accounts = Accounts(self.database, SEALER)
        await resolve_doubts(self.database, self.witness, accounts, Patience(grace=120.0))
        await poll_silent_calls(self.database, self.witness, accounts, first=60.0)
        await hang_up(self.database, self.witness, accounts)
        await brake_surplus(self.database, self.witness, accounts)

    async def sweep(self) -> None:
        await lives.start_due_runs(self.database)
        await doubt_stranded(self.database, lease=LEASE)
        await close_silent(self.database, Horizons())

    async def finish(self) -> None:
        await lives.complete_finished(self.database)
        await finish_cancelled(self.database, chunk=2)

    # ---- time ----

    async def pass_time(self, seconds: float) -> None:
        """What is on the wire for longer than the provider's patience is refused."""
        self.now += seconds
        self.epoch += 1
        for worker in self.workers:
            for flight in [f for f in worker.wire if f.arrives_by < self.now]:
                worker.wire.remove(flight)
                worker.heard.append((flight, SILENCE))
        self.witness.grow_older(seconds)
        await self._do(_OLDER, s=seconds)

    async def _do(self, sql: str, **parameters: object) -> None:
        await Scene(self.database).rows(sql, **parameters)
