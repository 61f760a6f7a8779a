"""The protocol's game: two businesses, their runs, what anybody may do, and how a game ends."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

import pytest
from sqlalchemy import text
from tests.integration.outbound.flights import Worker
from tests.integration.outbound.oracles import Watch
from tests.integration.outbound.scene import Scene
from tests.integration.outbound.witness import ANSWERS, WAYS
from tests.integration.outbound.world import World

from trunkline_common.contracts.api import (
    RunCancelRequested,
    RunEdited,
    RunPauseRequested,
    RunPolicy,
    RunResumeRequested,
)
from trunkline_common.contracts.suppressions import ContactSuppressed
from trunkline_common.db import Database, transaction
from trunkline_common.outcomes import Refuse

CONTROLS: Final[dict[str, Any]] = {
    "pause": RunPauseRequested,
    "resume": RunResumeRequested,
    "cancel": RunCancelRequested,
    "hang up": partial(RunCancelRequested, hang_up=True),
}
POLICIES: Final[list[dict[str, Any]]] = [
    {"max_attempts": 3, "retry_after": 5, "when_absent": "resend"},
    {"max_attempts": 2, "retry_after": 60},
    {"max_attempts": 2, "retry_after": 5, "when_absent": "resend", "concurrent": 2},
    {"concurrent": 1},
]
# Seconds: within a send deadline; a lease; a grace; a horizon of doubt; one of calls.
SPANS: Final = (6.0, 6.0, 31.0, 31.0, 140.0, 700.0, 2_500.0)
FITTING: Final = {"resume": "paused"}
LIVE: Final = frozenset({"running", "paused"})
ENDS: Final = tuple(WAYS)
MOST_RUNS: Final = 4
ROUNDS: Final = 40  # of everybody's work, with two minutes after each

_TABLES: Final = text(
    "SELECT string_agg(format('%I AS (DELETE FROM %I)', 'd' || relname, relname), ', ')"
    "  FROM pg_class WHERE relnamespace = to_regnamespace(current_schema())"
    "   AND relkind IN ('r', 'p') AND NOT relispartition AND relname <> 'alembic_version'"
)


def noon(now: datetime) -> tuple[str, dict[str, str]]:
    """A zone where it is about noon, and a window that opens there a quarter of an hour later."""
    east = 12 - now.hour
    opens = now + timedelta(hours=east, minutes=15)
    zone = f"Etc/GMT{-east:+d}"  # these names have their signs the other way round
    return zone, {"opens": opens.strftime("%H:%M"), "closes": "23:00"}


class Game:
    """Two businesses, their runs, and the world. Dice choose among what there is."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.world = World(database)
        self.watch = Watch(database, self.world)
        zone, self.shut_window = noon(datetime.now(UTC))
        self.scenes = [
            Scene(database, account=f"AC{n:032x}", concurrent=4, zone=zone) for n in (1, 2)
        ]
        self.runs: list[tuple[Scene, str]] = []
        self.is_deaf = False  # at the end no callback arrives any more: the provider is asked
        self.is_slow = False  # the provider's list may show a call after the grace only
        self.rounds = ROUNDS

    async def set_up(self) -> None:
        """Tables of their own: those of the last game are emptied."""
        async with transaction(self.database) as session:
            deletions = (await session.execute(_TABLES)).scalar_one()
            await session.execute(text(f"WITH {deletions} SELECT 1"))
        for scene in self.scenes:
            await scene.open_channel()

    async def start_run(self, one: int, two: int) -> None:
        if len(self.runs) < MOST_RUNS:
            scene = self.scenes[two % 2]
            policy = POLICIES[one % len(POLICIES)]
            run_id = await scene.start_run(5 - two % 6, **policy)
            self.runs.append((scene, run_id))

    async def ask(self, control: str, one: int, _two: int) -> None:
        scene, run_id = self.run_for(control, one)
        await scene.hear(CONTROLS[control](run_id=run_id, control_id="ctl"))

    def run_for(self, control: str, one: int) -> tuple[Scene, str]:
        """A run that this would change; any, if there is none."""
        fitting = FITTING.get(control, "running")
        those = [run for run in self.runs if self.watch.states.get(run[1]) == fitting]
        return (those or self.runs)[one % len(those or self.runs)]

    async def ask_for_another(self, one: int, two: int) -> None:
        """A control of somebody else's run is refused."""
        scene, run_id = self.runs[one % len(self.runs)]
        [other] = [s for s in self.scenes if s is not scene]
        control = CONTROLS[sorted(CONTROLS)[two % len(CONTROLS)]]
        with pytest.raises(Refuse):
            await other.hear(control(run_id=run_id, control_id="ctl"))

    async def edit(self, one: int, two: int) -> None:
        """Caps only go up here: one that goes down is held from then on, which is another test."""
        _, run_id = self.runs[one % len(self.runs)]
        await self._edit(run_id, POLICIES[two % 2])
        self.watch.shut.discard(run_id)

    async def shut(self, one: int, two: int) -> None:
        """The window of a run that has begun is closed from now on: for its retries as well."""
        _, run_id = self.run_for("pause", one)
        await self._edit(run_id, POLICIES[two % 2] | {"window": self.shut_window})
        self.watch.shut.add(run_id)

    async def _edit(self, run_id: str, policy: dict[str, Any]) -> None:
        event = RunEdited(run_id=run_id, control_id="ctl", policy=RunPolicy.model_validate(policy))
        await self.scene_of(run_id).hear(event)

    def scene_of(self, run_id: str) -> Scene:
        return next(scene for scene, known in self.runs if known == run_id)

    async def opt_out(self, one: int, two: int) -> None:
        number = f"+1202555{two % 5:06d}"
        await self.suppress(self.scenes[one % 2], number)
        self.watch.suppressed.add((self.scenes[one % 2].business_id, number))

    async def suppress(self, scene: Scene, number: str) -> None:
        said = {"suppression_id": f"sup_{number}", "kind": "address", "value": number}
        event = ContactSuppressed.model_validate(said | {"version": 1, "source": "api"})
        await scene.hear(event)

    def who(self, one: int) -> Worker:
        return self.world.workers[one % 3]

    async def claim(self, one: int, two: int) -> None:
        await self.world.claim(self.who(one), two)

    async def intend(self, one: int, two: int) -> None:
        worker = self.one_with("hands", one)
        await self.world.intend(worker, two, wanted=two % 3 + 1, answered=True)

    async def lose_answer_of_intent(self, one: int, two: int) -> None:
        await self.world.intend(self.one_with("hands", one), two, wanted=1, answered=False)

    async def depart(self, one: int, two: int) -> None:
        await self.world.depart(self.one_with("ready", one), two)

    async def arrive(self, one: int, two: int) -> None:
        worker = self.one_with("wire", one)
        await self.world.arrive(worker, one, self.answer(two))

    def answer(self, two: int) -> str:
        answer = ANSWERS[two % len(ANSWERS)]
        if answer in ("lost_made", "lost_hidden"):
            return "lost_hidden" if self.is_slow else "lost_made"
        return answer

    async def write(self, one: int, _two: int) -> None:
        await self.world.write(self.one_with("heard", one))

    async def write_again(self, one: int, two: int) -> None:
        await self.world.write_again(self.one_with("written", one), two)

    async def work(self, one: int, two: int) -> None:
        """The whole way of a handful, without anything in between."""
        worker = self.who(one)
        await self.world.work(worker, self.answer(two))
        if one % 2:
            await self.world.write(worker)

    async def let_go(self, one: int, two: int) -> None:
        await self.world.let_go(self.one_with("hands", one), two)

    async def renew(self, one: int, _two: int) -> None:
        await self.world.renew(self.one_with("hands", one))

    async def stall(self, one: int, _two: int) -> None:
        await self.world.stall(self.one_with("hands", one))

    async def crash(self, one: int, two: int) -> None:
        worker = self.one_with("hands", one)
        await self.world.stall(worker)
        await self.world.crash(worker, arrives=two % 2 == 0)

    def one_with(self, what: str, one: int) -> Worker:
        """One of the workers that have some of this; any, if none has."""
        those = [worker for worker in self.world.workers if getattr(worker, what)]
        return those[one % len(those)] if those else self.who(one)

    async def at_once(self, one: int, two: int) -> None:
        """A control, a claim, an intent, a record, a fold and an end at the same moment."""
        control = "cancel" if two == 0 else "pause"
        async with asyncio.TaskGroup() as group:
            for act in (
                self.intend(one, two),
                self.claim(one + 1, two),
                self.write(one, two),
                self.ask(control, one, two),
                self.world.fold(),
                self.world.finish(),
            ):
                group.create_task(act)

    # ---- the provider, and what goes on by itself ----

    async def progress(self, one: int, two: int) -> None:
        await self.world.progress(one, ENDS[two % len(ENDS)])

    async def call_back(self, one: int, two: int) -> None:
        await self.world.call_back(self.scenes, one, again=two % 3 == 0)

    async def end_call(self, one: int, two: int) -> None:
        """A call goes to its end; what is heard of it first is the last word."""
        await self.world.end_call(one, ENDS[two % len(ENDS)])
        await self.world.call_back(self.scenes, -1, again=False)

    async def fold(self, _one: int, _two: int) -> None:
        await self.world.fold()

    async def look_at_provider(self, _one: int, two: int) -> None:
        """The first look at a doubt only begins the count of its seconds."""
        await self.world.ask()
        if two % 2:
            await self.world.pass_time(3.0)
            await self.world.ask()

    async def sweep(self, _one: int, _two: int) -> None:
        await self.world.sweep()

    async def finish(self, _one: int, _two: int) -> None:
        await self.world.finish()

    async def pass_time(self, one: int, _two: int) -> None:
        await self.world.pass_time(SPANS[one % len(SPANS)])

    # ---- the end ----

    async def to_rest(self) -> None:
        """Everybody does what they do, and nothing new is begun: then all must end."""
        for run_id in self.watch.shut.copy():
            await self._edit(run_id, POLICIES[0])
        self.watch.shut.clear()
        for _ in range(self.rounds):
            await self._resume_all()
            await self._round()
            if not await self.watch.left():
                await self.watch.look()
                return await self.watch.at_rest()
        raise AssertionError(f"stuck: {await self.watch.left()}")

    async def _resume_all(self) -> None:
        paused = await self.scenes[0].rows("SELECT run_id FROM runs WHERE state = 'paused'")
        for scene, run_id in self.runs:
            if (run_id,) in paused:
                await scene.hear(RunResumeRequested(run_id=run_id, control_id="ctl"))

    async def _round(self) -> None:
        first = self.world.workers[0]
        for who in self.world.workers:
            if who is first or who.hands or who.ready or who.wire or who.heard:
                await self.world.work(who, "accepted")
                await self.world.write(who)
                while who.hands:
                    await self.world.let_go(who, 0)
        while self.world.witness.alive():
            await self.world.progress(0, "completed")
        while self.world.callbacks and not self.is_deaf:
            await self.world.call_back(self.scenes, 0, again=False)
        await self.world.fold()
        await self.world.ask()
        await self.world.sweep()
        await self.world.finish()
        await self.world.pass_time(140.0)
