"""Messaging's protocol as a game: hand-overs, replies, senders, a provider, people who say stop.

A step is a transaction of the service. Time is what the tables say: to let it pass is to move them.
The provider knows no idempotency; its list of what it accepted is the witness.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
from sqlalchemy import text
from tests.integration.messaging.scene import Scene

from trunkline_common.contracts.outbound import RunCancelling, RunMessageDue
from trunkline_common.contracts.suppressions import ContactSuppressed
from trunkline_common.db import Database, transaction
from trunkline_common.ids import ATTEMPT, CONTACT, RUN, new_id
from trunkline_messaging.domain.answers import Result
from trunkline_messaging.horizons import close_doubtful, doubt_lost
from trunkline_messaging.intents import Draft, Terms, commit_intents
from trunkline_messaging.records import Recorded, record
from trunkline_messaging.store.channels import Channel, due_channels
from trunkline_messaging.store.messages import Message

MOST: Final = 8  # messages of a run, and replies
ADDRESSES: Final = 4
STATUSES: Final = ("sent", "delivered", "read", "failed")
ANSWERS: Final = ("accepted", "lost_made", "lost_unmade", "rejected", "later", "not_sent")
_RESULTS: Final = {
    "lost_unmade": Result("in_doubt", reason="time-out"),
    "rejected": Result("rejected", code="131026", reason="refused"),
    "later": Result("later", code="130429", reason="too fast", retry_after=1.0),
    "not_sent": Result("not_sent", reason="withheld"),
}
_EMPTY: Final = text(
    "WITH a AS (DELETE FROM messages), b AS (DELETE FROM attempts), c AS (DELETE FROM open_sends),"
    " d AS (DELETE FROM provider_messages), e AS (DELETE FROM message_statuses),"
    " f AS (DELETE FROM run_gates), g AS (DELETE FROM suppressions), h AS (DELETE FROM outbox),"
    " i AS (DELETE FROM channels), j AS (DELETE FROM pace) SELECT 1"
)
_OLDER: Final = (
    "WITH a AS (UPDATE messages SET due_at = due_at - interval '1 hour'),"
    " b AS (UPDATE message_statuses SET look_at = look_at - interval '1 hour'),"
    " c AS (UPDATE pace SET tat = tat - interval '1 hour') SELECT 1"
)
_LOSE: Final = "UPDATE messages SET lease_until = clock_timestamp() WHERE state = 'sending'"
_REPLIES_DUE: Final = (
    "SELECT message_id FROM messages WHERE lane = 0 AND state IN ('queued', 'waiting')"
    " AND due_at <= clock_timestamp() AND address NOT IN (SELECT address FROM open_sends)"
)
_RETRIES_DUE: Final = _REPLIES_DUE.replace("lane = 0", "lane = 1 AND number > 0")


@dataclass(eq=False)
class Flight:
    """A granted message on its way to the provider."""

    message: Message
    channel: Channel

    def recorded(self, result: Result) -> Recorded:
        return Recorded(self.message, self.channel, result)


@dataclass
class Game:
    """One business with one number, two runs, two senders; dice choose among what there is."""

    database: Database
    http: aiohttp.ClientSession
    accepted: list[tuple[str, str]] = field(default_factory=list)  # attempt and provider's id
    flights: list[Flight] = field(default_factory=list)
    heard: list[Recorded] = field(default_factory=list)
    written: list[Recorded] = field(default_factory=list)
    granted: list[Message] = field(default_factory=list)  # in this step
    overtaken: list[str] = field(default_factory=list)  # replies that a broadcast went before
    outrun: list[str] = field(default_factory=list)  # retries that a first pass went before
    cancelled: set[str] = field(default_factory=set)
    suppressed: set[str] = field(default_factory=set)
    seqs: dict[str, int] = field(default_factory=dict)
    replies: int = 0
    ids: Iterator[int] = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self.scene = Scene(self.database, "http://127.0.0.1:9", self.http)
        self.seqs = {new_id(RUN): 0, new_id(RUN): 0}

    async def set_up(self) -> None:
        async with transaction(self.database) as session:
            await session.execute(_EMPTY)
        await self.scene.open_channel()

    def run(self, one: int) -> str:
        return list(self.seqs)[one % 2]

    # ---- what comes in ----

    async def hand_over(self, one: int, two: int) -> None:
        run_id = self.run(one)
        if self.seqs[run_id] < MOST:
            self.seqs[run_id] += 1
            due = RunMessageDue(
                run_id=run_id,
                seq=self.seqs[run_id],
                attempt_id=new_id(ATTEMPT),
                channel_id=self.scene.channel_id,
                contact_id=new_id(CONTACT),
                to=_address(two),
                text="hello",
            )
            await self.scene.hear(due)
            if one % 3 == 0:
                await self.scene.hear(due)  # a message on the broker may come twice

    async def reply(self, _one: int, two: int) -> None:
        if self.replies < MOST:
            self.replies += 1
            await self.scene.request(_address(two))

    async def cancel(self, one: int, _two: int) -> None:
        run_id = self.run(one)
        event = RunCancelling(run_id=run_id, step=1, stopped=0, in_flight=0, ended=0)
        await self.scene.hear(event)
        self.cancelled.add(run_id)

    async def opt_out(self, _one: int, two: int) -> None:
        value = _address(two)
        said = {"suppression_id": f"sup_{value}", "kind": "address", "value": value}
        more = {"version": 1, "source": "api"}
        await self.scene.hear(ContactSuppressed.model_validate(said | more))
        self.suppressed.add(value)

    # ---- what senders do ----

    async def intend(self, one: int, two: int) -> None:
        async with transaction(self.database) as session:
            due = await due_channels(session)
        for channel in due:
            replies = {row[0] for row in await self.scene.rows(_REPLIES_DUE)}
            retries = {row[0] for row in await self.scene.rows(_RETRIES_DUE)}
            terms = Terms(owner=f"w{one % 2}", lease=30.0, deadline=10.0)
            work = commit_intents(
                self.database, channel, wanted=two % 3 + 1, terms=terms, draft=Draft()
            )
            granted = list((await work).granted)
            self.granted += granted
            self.flights += [Flight(message, channel) for message in granted]
            if any(message.run_id for message in granted):
                left = {row[0] for row in await self.scene.rows(_REPLIES_DUE)}
                self.overtaken += sorted(replies & left)
            if any(message.run_id and message.number == 1 for message in granted):
                left = {row[0] for row in await self.scene.rows(_RETRIES_DUE)}
                self.outrun += sorted(retries & left)

    async def answer(self, one: int, two: int) -> None:
        if self.flights:
            flight = self.flights.pop(one % len(self.flights))
            self.heard.append(flight.recorded(self._answer(flight, ANSWERS[two % len(ANSWERS)])))

    def _answer(self, flight: Flight, answer: str) -> Result:
        if answer in _RESULTS:
            return _RESULTS[answer]
        provider_id = f"wamid.{next(self.ids)}"
        self.accepted.append((flight.message.attempt_id, provider_id))
        if answer == "accepted":
            return Result("accepted", provider_id=provider_id)
        return _RESULTS["lost_unmade"]

    async def write(self, _one: int, _two: int) -> None:
        batch, self.heard = self.heard, []
        self.written += batch
        if batch:
            await record(self.database, batch)

    async def write_again(self, one: int, _two: int) -> None:
        """A commit whose answer was lost is repeated, at any later time."""
        if self.written:
            await record(self.database, [self.written[one % len(self.written)]])

    async def lose(self, one: int, two: int) -> None:
        """A sender stands still past its lease; what was on the wire may have arrived."""
        await self.scene.change(_LOSE)
        await doubt_lost(self.database)
        if one % 2:
            for flight in self.flights:
                self.heard.append(flight.recorded(self._answer(flight, ANSWERS[two % 3])))
            self.flights.clear()

    # ---- what goes on by itself ----

    async def status(self, one: int, two: int) -> None:
        """The provider speaks of what it accepted, in any order, with our reference or without."""
        if self.accepted:
            attempt_id, provider_id = self.accepted[one % len(self.accepted)]
            named = attempt_id if two < 8 else None
            await self.scene.report(STATUSES[two % len(STATUSES)], provider_id, named)

    async def fold(self, _one: int, _two: int) -> None:
        await self.scene.fold()

    async def give_up(self, _one: int, _two: int) -> None:
        """A day of silence: what is in doubt ends unknown."""
        await close_doubtful(self.database, horizon=0.0)

    async def pass_time(self, _one: int, _two: int) -> None:
        await self.scene.change(_OLDER)

    async def to_rest(self) -> None:
        """Everybody does what they do until nothing is left to do; whatever leaves is accepted."""
        for _ in range(40):
            await self.intend(0, 2)
            while self.flights:
                await self.answer(0, 0)
            await self.write(0, 0)
            await self.lose(0, 0)
            await self.fold(0, 0)
            await self.give_up(0, 0)
            await self.pass_time(0, 0)
            open_states = {"queued", "waiting", "sending", "in_doubt"}
            if not open_states & (await self.scene.states()).keys():
                return
        raise AssertionError(f"stuck: {await self.scene.states()}")


def _address(two: int) -> str:
    return f"+1202555{two % ADDRESSES:06d}"


Move = Callable[[Game, int, int], Coroutine[Any, Any, None]]

# What may be played, and how often.
MOVES: Final[dict[str, tuple[int, Move]]] = {
    "hand over": (4, Game.hand_over),
    "reply": (2, Game.reply),
    "cancel": (1, Game.cancel),
    "opt out": (1, Game.opt_out),
    "intend": (5, Game.intend),
    "answer": (5, Game.answer),
    "write": (3, Game.write),
    "write again": (1, Game.write_again),
    "lose": (2, Game.lose),
    "status": (4, Game.status),
    "fold": (3, Game.fold),
    "give up": (1, Game.give_up),
    "pass time": (2, Game.pass_time),
}
WORDS: Final = [word for word, (weight, _) in MOVES.items() for _ in range(weight)]
