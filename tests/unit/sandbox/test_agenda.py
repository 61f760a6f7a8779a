"""The agenda, and a call's life driven by it with a clock of the test's own."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from trunkline_sandbox.agenda import Agenda
from trunkline_sandbox.courier import Courier
from trunkline_sandbox.fates import parse_mix
from trunkline_sandbox.mailbox import NO_MISHAPS, Mailbox
from trunkline_sandbox.tally import Tally
from trunkline_sandbox.voice.accounts import Account, Accounts
from trunkline_sandbox.voice.archive import Archive
from trunkline_sandbox.voice.calls import Call
from trunkline_sandbox.voice.exchange import Exchange
from trunkline_sandbox.voice.herald import Herald
from trunkline_sandbox.voice.orders import read_order
from trunkline_sandbox.voice.tempo import Tempo
from trunkline_sandbox.witness import Witness

ACCOUNT = Account(account_sid="AC" + "0" * 32, auth_token="t", numbers=frozenset({"+14155550100"}))


@dataclass
class Clock:
    """A clock that the test moves."""

    time: float = 0.0

    def __call__(self) -> float:
        return self.time


@dataclass
class World:
    """An exchange without a network: what it says is read from the witness."""

    path: Path
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.agenda = Agenda(self.clock)
        self.witness = Witness(self.path)
        self.moves: list[tuple[float, str]] = []
        self.witness.listen(
            lambda entry: (
                self.moves.append((round(self.clock.time, 2), entry["status"]))
                if entry["kind"] == "call_status"
                else None
            )
        )
        courier = Courier(1, 1.0)
        accounts, archive = Accounts(), Archive()
        accounts.put(ACCOUNT)
        mailbox = Mailbox(self.agenda, courier, self.witness, 1)
        self.exchange = Exchange(
            Tempo(1, 1.0, parse_mix("answered=1")),
            self.agenda,
            courier,
            accounts,
            archive,
            herald=Herald(accounts, archive, mailbox, self.witness),
            tally=Tally(),
        )

    def call(self, to: str, **fields: str) -> Call:
        form = {"To": [to], "From": ["+14155550100"]}
        form |= {name: [text] for name, text in fields.items()}
        return self.exchange.accept(ACCOUNT, read_order(form), "http://sandbox", NO_MISHAPS)

    def run(self, until: float) -> None:
        while (wait := self.agenda.run_due()) is not None and self.clock.time + wait <= until:
            self.clock.time += wait
        self.clock.time = until


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path / "log")
    yield world
    world.witness.close()


def test_actions_run_in_order_of_time_and_then_of_asking() -> None:
    clock, ran = Clock(), list[str]()
    agenda = Agenda(clock)
    agenda.after(2.0, lambda: ran.append("late"))
    agenda.after(1.0, lambda: ran.append("first"))
    agenda.after(1.0, lambda: ran.append("second"))
    assert agenda.run_due() == 1.0
    clock.time = 1.0
    assert agenda.run_due() == 1.0
    assert ran == ["first", "second"]
    clock.time = 9.0
    assert agenda.run_due() is None
    assert ran == ["first", "second", "late"]


@pytest.mark.parametrize(
    ("to", "statuses"),
    [
        ("+491700000001", ["initiated", "ringing", "in-progress", "completed"]),
        ("+491700000002", ["initiated", "ringing", "busy"]),
        ("+491700000003", ["initiated", "ringing", "no-answer"]),
        ("+491700000004", ["initiated", "failed"]),
    ],
)
def test_the_order_of_a_life(world: World, to: str, statuses: list[str]) -> None:
    call = world.call(to, Twiml="<Response><Pause length='2'/></Response>")
    assert call.status == "queued"
    world.run(until=900)
    assert [status for _, status in world.moves] == statuses
    assert call.over


def test_a_call_rings_no_longer_than_its_timeout(world: World) -> None:
    world.call("+491700000003", Timeout="20", Twiml="<Response/>")
    world.run(until=900)
    moved = {status: at for at, status in world.moves}
    assert moved["no-answer"] - moved["ringing"] == pytest.approx(25.0)


def test_a_call_talks_no_longer_than_its_time_limit(world: World) -> None:
    call = world.call(
        "+491700000001", TimeLimit="4", Twiml="<Response><Pause length='600'/></Response>"
    )
    world.run(until=900)
    assert call.duration == 4


def test_a_cancel_ends_a_life_once(world: World) -> None:
    call = world.call("+491700000001", Twiml="<Response><Pause length='2'/></Response>")
    world.run(until=1.5)
    world.exchange.hang_up(call)
    world.run(until=900)
    assert [status for _, status in world.moves] == ["initiated", "ringing", "canceled"]
