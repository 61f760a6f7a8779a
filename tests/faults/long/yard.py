"""A running stack for one part of the long form, its fleet, and the end of everything under way."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Final

from tests.faults.fleet import Fleet
from tests.faults.judge import gather, violations
from tests.faults.laboratory import Laboratory
from tests.faults.links import Link
from tests.faults.long.times import FIFTH, SANDBOX, SPEED, Times
from tests.faults.nursery import DEAF
from tests.faults.records import LEFT_OVER, UNHEARD, Records, Row
from tests.faults.stages import Campaign

from trunkline_dev.checkout import checkout_root
from trunkline_dev.servers.command import given_by
from trunkline_dev.servers.ports import LOOPBACK, free_ports
from trunkline_dev.servers.processes import wait_until
from trunkline_dev.settings import Settings
from trunkline_dev.stack import Options, Replica, Stack

QUIET_SECONDS: Final = 240.0
_LOOK_SECONDS: Final = 0.5

# Every part of outbound is a process of its own, as a deployment has it, and api has two replicas.
CREW: Final = (
    Replica("api-1", "api"),
    Replica("api-2", "api"),
    Replica("outbound", "outbound", "api"),
    Replica("outbound-dispatch-1", "outbound", "dispatch"),
    Replica("outbound-dispatch-2", "outbound", "dispatch"),
    Replica("outbound-reconcile", "outbound", "reconcile"),
    Replica("outbound-relay", "outbound", "relay"),
    Replica("outbound-consume", "outbound", "consume"),
    Replica("outbound-schedule", "outbound", "schedule"),
    Replica("messaging", "messaging"),
    Replica("recordings", "recordings"),
)


class Door(Link):
    """What a Service is: new connections go to those who are ready, in turn; open ones stay."""

    def __init__(self, port: int, behind: Mapping[str, int]) -> None:
        super().__init__(port, port)
        self._behind = dict(behind)
        self._away: set[str] = set()
        self._turn = 0

    @property
    def names(self) -> Sequence[str]:
        """Who is behind it."""
        return list(self._behind)

    def leaves(self, name: str) -> None:
        """No new connection goes there from now on."""
        self._away.add(name)

    def is_back(self, name: str) -> None:
        """It is ready again."""
        self._away.discard(name)

    def _destination(self) -> tuple[str, int]:
        there = [name for name in self._behind if name not in self._away]
        self._turn += 1
        return LOOPBACK, self._behind[there[self._turn % len(there)]]


@dataclass
class Witness:
    """The provider's log, read on from where the last look ended."""

    path: Path
    _read: int = 0
    lines: list[Row] = field(default_factory=list)
    accepted: int = 0

    def look(self) -> int:
        """Read what was written meanwhile; how many requests were ever accepted."""
        with self.path.open("rb") as log:
            log.seek(self._read)
            new = log.read()
        whole = new[: new.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in map(json.loads, whole.splitlines()):
            self.accepted += line["kind"] in {"call_accepted", "message_accepted"}
            self.lines.append(line)
        return self.accepted

    def forget(self) -> None:
        """What was read is judged, and about nobody any more."""
        self.lines.clear()


@dataclass
class Yard:
    """Where a part is played. The judge of `tests.faults.judge` reads at its end."""

    stack: Stack
    fleet: Fleet
    laboratory: Laboratory
    records: Records
    witness: Witness
    door: Door  # to the replicas of api

    @classmethod
    @contextmanager
    def open(cls, instance: str, times: Times = FIFTH, *, deaf: bool = False) -> Iterator[Yard]:
        """Start it all from nothing; stop it all. The `deaf` hear no hint, and give none."""
        options = Options(
            instance=instance,
            speed=SPEED,
            replicas=(),
            given=given_by(Settings()),
            environment={"sandbox": SANDBOX},
            fresh=True,
        )
        stack = Stack(checkout_root(), options)
        stack.stop()
        with ExitStack() as held:
            held.enter_context(stack)
            fleet = Fleet(stack, CREW, times, linked=False, words={DEAF: "1"} if deaf else {})
            fleet.laboratory = held.enter_context(Laboratory(stack.folder / "orders", fleet).open())
            records = Records(stack)
            records.make_durable()
            door = held.enter_context(_door(fleet))
            held.enter_context(fleet.run())
            yield cls(stack, fleet, fleet.laboratory, records, Witness(stack.layout.witness), door)

    def stuck(self, run_ids: Sequence[str], *, within: float = QUIET_SECONDS) -> list[str]:
        """What is still under way when everything had its time; nothing if all is over."""
        seen: dict[str, object] = {}
        pause = Event()

        def quiet() -> bool:
            seen.clear()
            sql = (
                "SELECT run_id, state FROM outbound.runs WHERE run_id = ANY($1)"
                " AND state NOT IN ('completed', 'cancelled', 'failed')"
            )
            if still := self.records.rows(sql, list(run_ids)):
                seen["runs that are not over"] = still
            if not seen:
                seen.update(self.records.left_over(LEFT_OVER))
            if not seen:
                seen.update(self.records.queued())
            if not seen:
                seen.update(self.records.left_over(UNHEARD))
            pause.wait(_LOOK_SECONDS if seen else 0)
            return not seen

        wait_until(quiet, within=within)
        return [f"stuck: {name}: {count}" for name, count in seen.items()]

    def judge(self, campaigns: Sequence[Campaign]) -> list[str]:
        """Wait until nothing is under way, and read the three records; what does not hold."""
        problems = self.stuck([one.run_id for one in campaigns])
        self.witness.look()
        for evidence in gather(self.records, campaigns, self.witness.lines):
            problems += violations(evidence)
        return problems


@contextmanager
def _door(fleet: Fleet) -> Iterator[Door]:
    """Where everybody finds api: its replicas' ports are chosen here, for the door to know."""
    names = [one.name for one in CREW if one.service == "api"]
    ports = fleet.stack.layout.ports
    ports.update(zip(("api", *names), free_ports(1 + len(names)), strict=True))
    door = Door(ports["api"], {name: ports[name] for name in names})
    fleet.laboratory.do(door.open())
    try:
        yield door
    finally:
        fleet.laboratory.do(door.cut())
