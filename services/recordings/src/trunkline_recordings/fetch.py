"""The fetch loop: claim recordings, keep the claims while they are fetched, finish them."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from prometheus_client import Counter, Gauge

from trunkline_common.db import Database, transaction
from trunkline_common.db.transaction import name_commit, wake_after_commit
from trunkline_common.loops import Stop, backoff
from trunkline_recordings import facts
from trunkline_recordings.domain.keys import storage_key
from trunkline_recordings.domain.outcomes import Outcome, after
from trunkline_recordings.store import channels, recordings
from trunkline_recordings.store.recordings import DUE, Claimed, Finished
from trunkline_recordings.transfer import Transfer

log = logging.getLogger(__name__)

RESULTS = Counter("trunkline_recording_fetches_total", "Tries to fetch by result", ["result"])
IN_FLIGHT = Gauge("trunkline_recording_fetches_in_flight", "Recordings being fetched")
_BATCH = 100


@dataclass(frozen=True, slots=True)
class FetchSettings:
    """Times in seconds. `drain`: what is under way at the end has so long before it is let go."""

    owner: str
    lease: float = 30.0
    renew_every: float = 10.0
    concurrency: int = 8
    max_tries: int = 15
    deadline: float = 300.0
    drain: float = 15.0
    idle: float = 1.0


class Fetcher:
    """One worker. Everything it knows is in the tables; losing it costs at most a lease."""

    def __init__(self, database: Database, transfer: Transfer, settings: FetchSettings) -> None:
        self._database = database
        self._transfer = transfer
        self._settings = settings
        self._held: dict[str, Claimed] = {}
        self._ends: asyncio.Queue[tuple[Claimed, Outcome] | None] = asyncio.Queue()
        self._wake = database.waker.flag(DUE)

    async def run(self, stop: Stop) -> None:
        """Fetch until stopped; then let what is under way end, or go back."""
        async with asyncio.TaskGroup() as writing:
            writing.create_task(self._finish_until_closed(), name="finisher")
            keeper = writing.create_task(self._keep(), name="leases")
            async with asyncio.TaskGroup() as flights:
                running = await self._claim_until(stop, flights)
                if running:
                    _, late = await asyncio.wait(running, timeout=self._settings.drain)
                    for flight in late:
                        flight.cancel()
            keeper.cancel()
            self._ends.put_nowait(None)

    async def _claim_until(self, stop: Stop, flights: asyncio.TaskGroup) -> set[asyncio.Task[None]]:
        running: set[asyncio.Task[None]] = set()
        while not stop.is_set():
            self._wake.clear()
            try:
                claimed = await self._claim()
            except Exception:  # the database is away: wait, and look again
                log.exception("fetch.claim_failed")
                claimed = []
            for each in claimed:
                self._held[each.recording_id] = each
                flight = flights.create_task(self._fly(each), name=each.recording_id)
                running.add(flight)
                flight.add_done_callback(running.discard)
            if not claimed:
                await stop.wait_or_ring(self._wake, self._settings.idle)
        return running

    async def _claim(self) -> list[Claimed]:
        room = self._settings.concurrency - len(self._held)
        if room <= 0:
            return []
        async with transaction(self._database) as session:
            claimed = await recordings.claim(
                session, owner=self._settings.owner, wanted=room, lease=self._settings.lease
            )
            if claimed:
                name_commit(session, "recordings.claim")
            return claimed

    async def _fly(self, claimed: Claimed) -> None:
        outcome = Outcome("released", reason="its worker stopped")
        IN_FLIGHT.inc()
        try:
            async with asyncio.timeout(self._settings.deadline):
                outcome = await self._transfer.run(claimed, lambda: self._renewed(claimed))
        except TimeoutError:
            outcome = Outcome("later", reason=f"not had within {self._settings.deadline:g} s")
        except Exception:  # a defect of ours: it costs a try, not the worker
            log.exception("fetch.failed", extra={"recording": claimed.recording_id})
            outcome = Outcome("later", reason="the worker failed")
        finally:
            IN_FLIGHT.dec()
            RESULTS.labels(outcome.kind).inc()
            self._ends.put_nowait((claimed, outcome))

    async def _renewed(self, claimed: Claimed) -> bool:
        async with transaction(self._database) as session:
            tokens = {claimed.recording_id: claimed.token}
            return bool(await recordings.renew(session, tokens, lease=self._settings.lease))

    async def _keep(self) -> None:
        """Renew every lease; a claim that is not ours any more is fenced when it ends."""
        while True:
            await asyncio.sleep(self._settings.renew_every)
            tokens = {recording_id: held.token for recording_id, held in self._held.items()}
            if not tokens:
                continue
            try:
                async with transaction(self._database) as session:
                    kept = await recordings.renew(session, tokens, lease=self._settings.lease)
            except Exception:  # the leases may run out meanwhile: whoever takes over fetches anew
                log.exception("fetch.renew_failed")
                continue
            for recording_id in tokens.keys() - kept:
                log.warning("fetch.claim_lost", extra={"recording": recording_id})

    async def _finish_until_closed(self) -> None:
        closing = False
        while not closing:
            ends: list[tuple[Claimed, Outcome]] = []
            entry = await self._ends.get()
            while entry is not None:
                ends.append(entry)
                if len(ends) == _BATCH or self._ends.empty():
                    break
                entry = self._ends.get_nowait()
            closing = entry is None
            if ends:
                await self._finish_until_done(ends)

    async def _finish_until_done(self, ends: list[tuple[Claimed, Outcome]]) -> None:
        failures = 0
        while True:
            try:
                await finish(self._database, ends, max_tries=self._settings.max_tries)
            except Exception:  # any failure of the database: the ends are kept
                failures += 1
                log.exception("fetch.finish_failed", extra={"recordings": len(ends)})
                await asyncio.sleep(backoff(failures))
                continue
            for claimed, _ in ends:
                if self._held.get(claimed.recording_id) is claimed:
                    del self._held[claimed.recording_id]
            self._wake.ring()
            return


async def finish(
    database: Database, ends: list[tuple[Claimed, Outcome]], *, max_tries: int
) -> None:
    """Write down how claims ended, and say what became true; claims taken over are left alone."""
    async with transaction(database) as session:
        name_commit(session, "recordings.finish")
        kept = await recordings.finish(session, [_finished(*end, max_tries) for end in ends])
        await facts.publish_ends(session, kept)
        taken = sorted({c.channel_id for c, o in ends if o.kind == "stored"})
        refused = {c.channel_id: c.version for c, o in ends if o.kind == "misconfigured"}
        if taken:
            await channels.trust(session, taken)
        if refused:
            for channel_id in await channels.hold(session, refused):
                log.error("channel.held", extra={"channel": channel_id})
        if any(each.state == "due" for each in kept):
            wake_after_commit(session, DUE)


def _finished(claimed: Claimed, outcome: Outcome, max_tries: int) -> Finished:
    step = after(outcome, tries=claimed.tries, max_tries=max_tries)
    if step.state != "stored":
        return Finished(claimed, step)
    key = storage_key(claimed.business_id, claimed.recording_id, claimed.created_at)
    return Finished(claimed, step, storage_key=key, stored=outcome.stored)
