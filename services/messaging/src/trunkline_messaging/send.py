"""The send loop: grant due messages, send them, record what came of it, stop without a doubt."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

from prometheus_client import Counter, Gauge

from trunkline_common.db import Database, transaction
from trunkline_common.loops import Stop
from trunkline_messaging.domain.answers import Result
from trunkline_messaging.intents import Draft, Intents, Terms, commit_intents
from trunkline_messaging.recorder import Recorder
from trunkline_messaging.records import Recorded
from trunkline_messaging.sending import Courier, Departure
from trunkline_messaging.store.channels import Channel, due_channels
from trunkline_messaging.store.messages import DUE
from trunkline_messaging.turns import Turns, share

log = logging.getLogger(__name__)

_GATHER = 0.02  # seconds in which more may land: a transaction for each would cost too much
_AFTER_FAILURE = 5.0  # seconds

RESULTS = Counter("trunkline_message_requests_total", "Requests for messages by result", ["result"])
IN_FLIGHT = Gauge("trunkline_message_requests_in_flight", "Requests without a result yet")


@dataclass(frozen=True, slots=True)
class SendSettings:
    """Constants of the protocol, in seconds, and how much is done at once."""

    terms: Terms
    concurrency: int = 100
    micro_batch: int = 50
    idle: float = 1.0


class Sender:
    """One worker. Everything it knows is in the tables; losing it costs at most a lease."""

    def __init__(self, database: Database, courier: Courier, settings: SendSettings) -> None:
        self._database = database
        self._courier = courier
        self._settings = settings
        self._recorder = Recorder(database)
        self._turns = Turns()
        self._in_flight = 0
        self._wake = database.waker.flag(DUE)

    async def run(self, stop: Stop) -> None:
        """Send until stopped; then let what is in flight end, and write it down."""
        async with asyncio.TaskGroup() as flights:
            while not stop.is_set():
                self._wake.clear()
                pause = await self._round(flights)
                if pause > 0:
                    await stop.wait_or_ring(self._wake, pause)

    async def _round(self, flights: asyncio.TaskGroup) -> float:
        """Grant to every channel in turn; seconds until the next look."""
        if self._in_flight >= self._settings.concurrency:
            return self._settings.idle  # whoever lands rings
        if self._in_flight > self._settings.concurrency // 2:
            await asyncio.sleep(_GATHER)
        try:
            async with transaction(self._database) as session:
                due = await due_channels(session)
        except Exception:  # the database is away: wait, and look again
            log.exception("send.look_failed")
            return self._settings.idle
        chosen = self._turns.order(due, now=time.monotonic())
        if any([await self._granted(flights, channel, chosen) for channel in chosen]):
            return 0.0
        return min(self._settings.idle, self._turns.next_look(due, now=time.monotonic()))

    async def _granted(
        self, flights: asyncio.TaskGroup, channel: Channel, chosen: Sequence[Channel]
    ) -> bool:
        """Grant to one channel; what goes wrong there must not stop anybody else's."""
        try:
            return await self._grant(flights, channel, chosen)
        except Exception:  # whatever it is: this channel is left alone for a while
            log.exception("send.grant_failed", extra={"channel": channel.channel_id})
            self._turns.served(channel, not_before=time.monotonic() + _AFTER_FAILURE)
            return False

    async def _grant(
        self, flights: asyncio.TaskGroup, channel: Channel, chosen: Sequence[Channel]
    ) -> bool:
        room = self._settings.concurrency - self._in_flight
        wanted = min(self._settings.micro_batch, share(room, len(chosen)))
        if wanted <= 0:
            return False
        asked_at = time.monotonic()
        intents = await self._commit(channel, wanted)
        answered_at = time.monotonic()
        self._turns.served(channel, not_before=answered_at + intents.not_before)
        for index, message in enumerate(intents.granted):
            departure = Departure(
                message,
                channel,
                leaves_at=answered_at + intents.first_in + index * intents.interval,
                deadline=asked_at + self._settings.terms.deadline,
            )
            self._in_flight += 1
            flights.create_task(self._fly(departure), name=message.attempt_id)
        return bool(intents.granted)

    async def _commit(self, channel: Channel, wanted: int) -> Intents:
        draft = Draft()
        try:
            return await commit_intents(
                self._database, channel, wanted=wanted, terms=self._settings.terms, draft=draft
            )
        except Exception:
            # The commit may have happened without its answer: these were surely not sent, and
            # where it did not happen this changes nothing.
            unsent = Result("not_sent", reason="the commit was not confirmed")
            await self._recorder.write(Recorded(m, channel, unsent) for m in draft.granted)
            raise

    async def _fly(self, departure: Departure) -> None:
        IN_FLIGHT.inc()
        try:
            result = await self._courier.send(departure)
        except Exception:  # a defect of ours: what the provider got is not known
            log.exception("send.failed")
            result = Result("in_doubt", reason="the sender failed")
        IN_FLIGHT.dec()
        RESULTS.labels(result.kind).inc()
        # Its room is free only when its result is written: what it says of the sender (too fast,
        # refused) then counts for whoever leaves next.
        await self._recorder.write([Recorded(departure.message, departure.channel, result)])
        self._in_flight -= 1
        self._wake.ring()
