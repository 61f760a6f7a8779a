"""The matrix: which cells are struck together, and how a wave of them is driven and judged."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Final

from tests.faults.fleet import Fleet
from tests.faults.judge import gather, violations
from tests.faults.laboratory import Laboratory, Strike
from tests.faults.points import POINTS, Cell, Point, Stage
from tests.faults.records import OUTBOXES, Records
from tests.faults.stages import Actor, Campaign
from tests.faults.times import LEASE, SANDBOX, SPEED

from trunkline_dev.checkout import checkout_root
from trunkline_dev.servers import Given
from trunkline_dev.servers.command import given_by
from trunkline_dev.servers.processes import wait_until
from trunkline_dev.settings import Settings
from trunkline_dev.stack import Options, Stack
from trunkline_dev.stack.options import SERVICES

ROUNDS: Final = 4  # of campaigns, for a point that was not passed by the first of them
END_SECONDS: Final = 150.0  # what was not sent in time waits for up to a minute or two
SHORT: Final = 0.4
LONG: Final = LEASE * 1.4


@dataclass(slots=True)
class Report:
    """What came of one wave."""

    strikes: list[Strike]
    problems: list[str] = field(default_factory=list)
    alone: list[Report] = field(default_factory=list)  # its cells, each by itself

    def told(self, *, seed: int) -> str:
        """For whoever has to find out why."""
        lines = ["", *self.problems, *(f"  {one} at {one.at or 'nobody'}" for one in self.strikes)]
        for one in self.alone:
            lines.append(f"alone: {one.strikes[-1]}: {'fails' if one.problems else 'holds'}")
            lines += [f"  {problem}" for problem in one.problems]
        cells = sorted({f"make faults SEED={seed} ONLY={one.cell}" for one in self.strikes})
        return "\n".join([*lines, "again:", *cells])


@dataclass
class Theatre:
    """A running stack with everything that a wave needs."""

    stack: Stack
    fleet: Fleet
    laboratory: Laboratory
    records: Records
    actors: dict[Stage, Actor] = field(default_factory=dict)
    forgiven: dict[str, int] = field(default_factory=dict)  # left over by what failed before

    @classmethod
    @contextmanager
    def open(
        cls,
        instance: str,
        given: Given | None = None,
        crew: Callable[[Stack], Fleet] = Fleet,
        *,
        plant: str = "",
    ) -> Iterator[Theatre]:
        """Start it all, without a rule if one is named; stop it all."""
        options = Options(
            instance=instance,
            speed=SPEED,
            replicas=(),
            given=given or given_by(Settings()),
            environment={"sandbox": SANDBOX},
        )
        stack = Stack(checkout_root(), options)
        stack.stop()
        with ExitStack() as held:
            held.enter_context(stack)
            fleet = crew(stack)
            fleet.plants = dict.fromkeys(SERVICES, plant)
            fleet.laboratory = held.enter_context(Laboratory(stack.folder / "orders", fleet).open())
            records = Records(stack)
            records.make_durable()
            held.enter_context(fleet.run())
            theatre = cls(stack, fleet, fleet.laboratory, records)
            for stage in dict.fromkeys(point.stage for point in POINTS):
                theatre.actors[stage] = Actor.prepare(stack, stage, records)
            yield theatre

    def play(self, strikes: Sequence[Strike]) -> Report:
        """Strike all of these during small campaigns; heal; wait; judge."""
        report = Report(list(strikes))
        self.judge(report, self.strike(report))
        return report

    def strike(self, report: Report) -> list[Campaign]:
        """Small campaigns, until all of the report's strikes have met somebody; which ones."""
        strikes, campaigns = report.strikes, list[Campaign]()
        self._forgive_less()
        self.laboratory.arm(strikes)
        try:
            for _ in range(ROUNDS):
                stages = {one.cell.point.stage for one in strikes if one.at is None}
                begun = [self.actors[stage].begin() for stage in sorted(stages)]
                campaigns += begun
                self._await_end(begun, strikes)
                if all(one.at for one in strikes):
                    break
        except AssertionError as error:
            report.problems.append(str(error))
        finally:
            self.laboratory.disarm()
        report.problems += [f"not reached: {one}" for one in strikes if one.at is None]
        return campaigns

    def judge(
        self, report: Report, campaigns: Sequence[Campaign], *, within: float = END_SECONDS
    ) -> None:
        """What is wrong when everything had its time."""
        report.problems += self.stuck(campaigns, within=within)
        for evidence in gather(self.records, campaigns):
            report.problems += violations(evidence)
        self.forgive(report.problems)

    def is_drained(self) -> bool:
        """Whether nothing that was said is on its way: what was not heard by now never will be."""
        left = self.records.left_over().keys() & OUTBOXES
        return not left and not self._new(self.records.queued())

    def forgive(self, problems: Sequence[str]) -> None:
        """What a play that failed has left behind is not held against those that come after it."""
        if problems:
            self.forgiven = self.records.left_over() | self.records.queued()

    def _forgive_less(self) -> None:
        """What was on its way when it was forgiven and has come since would hide as much again."""
        if self.forgiven:
            wait_until(self.is_drained, within=END_SECONDS)
            now = self.records.left_over() | self.records.queued()
            self.forgiven = still(self.forgiven, now)

    def _await_end(self, campaigns: Sequence[Campaign], strikes: Sequence[Strike]) -> None:
        """Wait until the runs are over, or all is struck: the rest is waited for elsewhere."""
        wait_until(
            lambda: all(one.at for one in strikes) or self._are_over(campaigns), within=END_SECONDS
        )

    def _are_over(self, campaigns: Sequence[Campaign]) -> bool:
        over = {"completed", "cancelled", "failed"}
        return all(self.records.state(one.run_id) in over for one in campaigns)

    def _new(self, counts: Mapping[str, int]) -> dict[str, int]:
        return {name: n for name, n in counts.items() if n > self.forgiven.get(name, 0)}

    def stuck(self, campaigns: Sequence[Campaign], *, within: float = END_SECONDS) -> list[str]:
        """What is still under way when everything had its time; seen to be nothing twice."""
        seen: dict[str, object] = {}
        calm = 0

        def quiet() -> bool:
            nonlocal calm
            open_runs = [c.run_id for c in campaigns if not self._are_over([c])]
            seen.clear()
            seen.update(self._new(self.records.left_over()))
            if open_runs:
                seen["runs that are not over"] = open_runs
            if not seen:
                seen.update(self._new(self.records.queued()))
            calm = 0 if seen else calm + 1
            return calm >= 2

        wait_until(quiet, within=within)
        return [f"stuck: {name}: {count}" for name, count in seen.items()]


def still(forgiven: Mapping[str, int], now: Mapping[str, int]) -> dict[str, int]:
    """Of what was forgiven, what is there yet."""
    return {name: min(n, now[name]) for name, n in forgiven.items() if name in now}


def struck(cells: Sequence[Cell], dice: random.Random) -> list[Strike]:
    """When and for how long each cell strikes; what a cell needs before comes with it."""
    strikes = []
    for cell in cells:
        point = cell.point
        if point.prelude is not None:
            before = Point(point.prelude, point.service, point.stage)
            strikes.append(Strike(Cell(before, "kill"), 1, SHORT))
        seconds = dice.choice((SHORT, LONG))
        strikes.append(Strike(cell, dice.randint(1, point.most), seconds))
    return strikes
