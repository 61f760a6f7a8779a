"""The dispatch loop: take claims, commit intents, send, record, close, and stop without a doubt."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from functools import cache, partial

from prometheus_client import Counter, Gauge

from trunkline_common.db import Database, transaction
from trunkline_common.db.retry import retried
from trunkline_common.db.transaction import name_commit
from trunkline_common.ids import BUSINESS, new_id
from trunkline_common.loops import Stop
from trunkline_outbound.admitted import Draft, Intents
from trunkline_outbound.claiming import Claiming, ClaimTerms
from trunkline_outbound.controls import GATE
from trunkline_outbound.domain.classification import Result
from trunkline_outbound.held import Held, HeldClaims
from trunkline_outbound.intents import commit_intents
from trunkline_outbound.places import Lanes, Places
from trunkline_outbound.recorder import Recorder
from trunkline_outbound.runs import ENDED, WORK
from trunkline_outbound.sending import CallSender, Departure
from trunkline_outbound.store import claims, runs
from trunkline_outbound.store.attempts import NewAttempt
from trunkline_outbound.store.claims import Claim, Lease
from trunkline_outbound.store.runs import Run
from trunkline_outbound.turns import Pauses, Turns, Turnstile

log = logging.getLogger(__name__)

GATHER_SECONDS = 0.02
REST_SECONDS = 2.0  # a claim that has to wait for its pace longer than this is let go of

RESULTS = Counter("trunkline_attempts_total", "Requests to providers by result", ["result"])
_counted = cache(RESULTS.labels)  # which looks for its labels under a lock each time
IN_FLIGHT = Gauge("trunkline_requests_in_flight", "Requests to providers without a result yet")


@dataclass(frozen=True, slots=True)
class DispatchSettings:
    """Constants of the protocol. Times in seconds."""

    owner: str
    lease: float = 30.0
    renew_every: float = 10.0
    margin: float = 10.0
    send_deadline: float = 10.0
    concurrency: int = 100
    claim_size: int = 200
    micro_batch: int = 50
    claims_at_once: int = 4
    idle: float = 1.0


class Dispatcher:
    """One worker. Everything it knows is in the tables; losing it costs at most a lease."""

    def __init__(self, database: Database, sender: CallSender, settings: DispatchSettings) -> None:
        self._database = database
        self._sender = sender
        self._settings = settings
        self._held = HeldClaims(
            database, owner=settings.owner, lease=settings.lease, margin=settings.margin
        )
        self._recorder = Recorder(database)
        self._lanes = Lanes(settings.concurrency)
        self._places = Places(settings.concurrency, self._lanes.ahead)
        self._handful = max(1, min(settings.micro_batch, settings.concurrency // 2))
        self._pauses = Pauses()
        start = new_id(BUSINESS)  # not every worker begins with the same business
        weights: dict[str, float] = {}  # by business: the claiming keeps them fresh
        self._turnstile = Turnstile(Turns(settings.micro_batch, weights, start=start))
        self._claiming = Claiming(
            database,
            self._held,
            Turns(settings.claim_size, weights, start=start),
            self._pauses,
            ClaimTerms(
                lease=Lease(settings.owner, settings.lease),
                size=settings.claim_size,
                places=settings.claims_at_once,
                slice=settings.micro_batch,
                weights=weights,
            ),
        )
        self._bell = database.waker.flag(WORK)  # look for claims
        self._work = database.waker.flag(WORK)  # ask those again who lacked room

    async def run(self, stop: Stop) -> None:
        """Dispatch until stopped; then finish what is in flight and let go of the claims."""
        async with asyncio.TaskGroup() as work:
            keeper = work.create_task(self._keep_leases(), name="leases")
            watcher = work.create_task(self._watch_gates(), name="gates")
            async with asyncio.TaskGroup() as sending, asyncio.TaskGroup() as working:
                await self._claim_until(stop, working, sending)
            keeper.cancel()
            watcher.cancel()

    async def _claim_until(
        self, stop: Stop, working: asyncio.TaskGroup, sending: asyncio.TaskGroup
    ) -> None:
        while not stop.is_set():
            self._bell.clear()  # before looking: what is rung meanwhile is looked for again
            if self._work.take():
                self._pauses.ring()
            looked_at = time.monotonic()
            try:
                held = await self._claiming.take(looked_at)
            except Exception:  # the database is away: wait, and look again
                log.exception("dispatch.claim_failed")
                held = None
            if held is not None:
                name = f"claim-{held.claim.claim_id}"
                working.create_task(self._work_on(held, stop, sending), name=name)
            else:
                pause = self._pauses.next_end(looked_at) - time.monotonic()
                await stop.wait_or_ring(self._bell, max(0.0, min(pause, self._settings.idle)))

    async def _keep_leases(self) -> None:
        while True:
            await asyncio.sleep(self._settings.renew_every)
            try:
                await self._held.renew()
            except Exception:  # not renewed: trust runs out by itself
                log.exception("dispatch.renewal_failed")

    async def _watch_gates(self) -> None:
        """Hear of a cancel before the last byte. A lost ring costs nothing: intents look anyway."""
        gate = self._database.waker.flag(GATE)
        while True:
            await gate.wait(self._settings.renew_every)
            gate.clear()
            try:
                await self._held.verify()
            except Exception:  # the database is away: no intent commits either
                log.exception("dispatch.gates_unseen")

    async def _work_on(self, held: Held, stop: Stop, sending: asyncio.TaskGroup) -> None:
        """Work one claim to its end, or until it is lost or the process stops."""
        flights: set[asyncio.Task[None]] = set()
        try:
            async with transaction(self._database) as session:
                run = await runs.get_run(session, held.claim.run_id)
            if run is not None:
                await self._send_all(held, run, stop, sending, flights)
            held.is_paced = False
            self._make_room(held)
            if flights:
                await asyncio.wait(flights)
            await self._let_go(held)
        except Exception:  # the claim's lease runs out and another takes it over
            log.exception("dispatch.claim_abandoned", extra={"claim": held.claim.claim_id})
        finally:
            self._claiming.leave_place(held)
            self._held.drop(held)
            self._bell.ring()

    async def _send_all(
        self,
        held: Held,
        run: Run,
        stop: Stop,
        sending: asyncio.TaskGroup,
        flights: set[asyncio.Task[None]],
    ) -> None:
        while not stop.is_set() and held.is_trusted():
            asked_at, rung = time.monotonic(), self._pauses.rung
            intents = await self._admit(held, run)
            now = time.monotonic()
            for place, attempt in enumerate(intents.granted):
                leaves_at = now + intents.leaves_at(place)
                departure = self._departure(attempt, run, intents, leaves_at)
                flight = sending.create_task(self._fly(held, departure))
                flights.add(flight)
                flight.add_done_callback(flights.discard)
            if intents.lost or intents.drained or self._claiming.must_yield(held):
                return
            if intents.retry_in > REST_SECONDS:
                until = asked_at + intents.retry_in
                self._pauses.add(run.run_id, until=until, until_rung=intents.until_rung, rung=rung)
                held.wakes = False  # nobody else could send of it either
                return
            if intents.retry_in > 0:
                held.is_paced = True
                if held.has_place:
                    self._make_room(held)
                await stop.wait(intents.retry_in)

    def _make_room(self, held: Held) -> None:
        """Others may have the place of a claim that is waiting only."""
        self._claiming.leave_place(held)
        self._bell.ring()

    async def _admit(self, held: Held, run: Run) -> Intents:
        """Admit a handful. One at a time: intents of one account would only queue up at its
        limits' rows, and each of several takers would find fewer places free.
        """
        async with self._turnstile.turn(held.business_id) as turns:
            permits = await self._places.take(
                self._settings.micro_batch, least=self._handful, patience=GATHER_SECONDS
            )
            intents = await self._intend(held, run, permits)
            self._places.give_back(permits - len(intents.granted))
            turns.charge(held.business_id, intents.count)
            held.admitted += intents.count
            return intents

    async def _intend(self, held: Held, run: Run, wanted: int) -> Intents:
        draft = Draft()
        work = partial(
            commit_intents,
            self._database,
            held.claim,
            run,
            owner=self._settings.owner,
            wanted=wanted,
            deadline=self._settings.send_deadline,
            draft=draft,
        )
        try:
            return await retried("intents", work)
        except Exception:
            self._places.give_back(wanted)
            # The commit may have happened although its answer was lost; nothing of it was sent.
            unsent = Result("not_sent", reason="intent_commit_unanswered")
            await self._recorder.write(run.run_id, draft.attempt_ids, unsent)
            raise

    def _departure(
        self, attempt: NewAttempt, run: Run, intents: Intents, leaves_at: float
    ) -> Departure:
        if intents.channel is None:
            raise AssertionError("granted without a channel")
        deadline = time.monotonic() + self._settings.send_deadline
        return Departure(attempt, intents.run or run, intents.channel, leaves_at, deadline)

    async def _fly(self, held: Held, departure: Departure) -> None:
        def may_send() -> bool:
            return held.is_trusted() and time.monotonic() < departure.deadline

        try:
            await departure.time()
            async with self._lanes.lane():
                IN_FLIGHT.inc()
                try:
                    result = await self._sender.send(departure, may_send)
                finally:
                    IN_FLIGHT.dec()
        finally:
            self._places.give_back()
        _counted(result.kind).inc()
        run_id = departure.run.run_id
        await self._recorder.write(run_id, [departure.attempt.attempt_id], result)

    async def _let_go(self, held: Held) -> None:
        if held.lost:
            return
        closed = await retried("let_go", partial(self._close_or_release, held.claim))
        if closed:
            self._database.waker.wake(ENDED)
        elif held.wakes:
            self._database.waker.wake(WORK)

    async def _close_or_release(self, claim: Claim) -> bool:
        async with transaction(self._database) as session:
            name_commit(session, "outbound.let_go")
            await runs.lock_cursor(session, claim.run_id)
            closed = await claims.close(session, claim, owner=self._settings.owner)
            if not closed:
                await claims.release(session, claim, owner=self._settings.owner)
            return closed
