"""Two hundred SIGTERMs under load: who asks hears no error, nothing is in doubt, all leave in time.

Api is asked through a door (`yard.Door`), as a Service of Kubernetes is one: whoever is about to
leave gets no new connections a moment before its SIGTERM (`preStop` in deploy/k8s).
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from tests.faults.long.crowd import Crowd, are_accepted
from tests.faults.long.results import Result, percentiles
from tests.faults.long.yard import CREW, Yard

from trunkline_dev.servers.processes import wait_until
from trunkline_dev.web import Web

TERMS: Final = 200
ROUNDS: Final = 4
EXIT_SECONDS: Final = 25.0
PRESTOP_SECONDS: Final = 1.0
_LEAVE_SECONDS: Final = 40.0
_READY_SECONDS: Final = 90.0
_PATIENCE_SECONDS: Final = 3.0
_CLIENTS: Final = 3
_PAUSE_SECONDS: Final = 0.1

_DOUBTS: Final = """
SELECT (SELECT count(*) FROM outbound.decisions
         WHERE decision = 'in_doubt' AND run_id = ANY($1))
     + (SELECT count(*) FROM messaging.messages
         WHERE run_id = ANY($1) AND state IN ('in_doubt', 'unknown')) AS count
"""


@dataclass(frozen=True, slots=True)
class Form:
    """One round: contacts, and SIGTERMs among them."""

    calls: int = 3_000
    messages: int = 1_000
    terms: int = TERMS // ROUNDS
    rounds: int = ROUNDS
    pace: float | None = 15.0  # of each run, per second


FULL: Final = Form()
SHORT: Final = Form(calls=80, messages=20, terms=4, rounds=1)


@dataclass
class Clients:
    """Some who ask all the time, each request over a connection of its own."""

    web: Web
    paths: Sequence[str]
    asked: int = 0
    failed: list[str] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def at_work(self) -> Iterator[Clients]:
        """They ask, until the block ends."""
        threads = [threading.Thread(target=self._ask, args=(at,)) for at in range(_CLIENTS)]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self._over.set()
            for thread in threads:
                thread.join(timeout=60)

    def _ask(self, first: int) -> None:
        at = first
        while not self._over.wait(_PAUSE_SECONDS):
            at += 1
            path = self.paths[at % len(self.paths)]
            self.asked += 1
            try:
                answer = self.web.ask("GET", path)
            except OSError as error:
                self.failed.append(f"{path}: {error!r}")
                continue
            if answer.status >= 500:
                self.failed.append(f"{path}: {answer.status} {answer.body}")


def play(yard: Yard, result: Result, form: Form = FULL) -> None:
    """Each process in turn is told to leave; the next when another is in its place."""
    crowds = [
        Crowd.gather(yard.stack, "voice", form.calls, first=700_000),
        Crowd.gather(yard.stack, "whatsapp", form.messages, first=720_000),
    ]
    for number in range(len(result.rounds), form.rounds):
        result.add(*_round(yard, crowds, form, number))
    exits = [one for each in result.rounds for one in each["exits"]]
    names = ("terms", "jobs", "asked", "failed", "callbacks", "callbacks_failed", "doubts")
    result.figures = {name: sum(each[name] for each in result.rounds) for name in names}
    result.figures["exits"] = percentiles(exits)


def _round(
    yard: Yard, crowds: Sequence[Crowd], form: Form, number: int
) -> tuple[dict[str, Any], list[str]]:
    before = yard.witness.look()
    paced = {} if form.pace is None else {"per_second": form.pace}
    campaigns = [crowd.begin(**paced) for crowd in crowds]
    paths = [f"/v1/runs/{campaigns[0].run_id}", "/v1/runs", "/v1/contacts?limit=5"]
    clients = Clients(crowds[0].customer.api, paths)
    exits: list[float] = []
    with clients.at_work():
        for at in range(form.terms):
            due = before + (form.calls + form.messages) * (at + 1) // (form.terms + 2)
            wait_until(partial(are_accepted, yard, due), within=_PATIENCE_SECONDS)
            replica = CREW[(number * form.terms + at) % len(CREW)]
            exits.append(_leave(yard, replica.name))
    problems = yard.judge(campaigns)
    said = [line for line in yard.witness.lines if line["kind"] == "callback"]
    lost = [line for line in said if not 200 <= line["status"] < 300]
    yard.witness.forget()
    doubts = int(yard.records.rows(_DOUBTS, [one.run_id for one in campaigns])[0]["count"])
    figures = {
        "terms": form.terms,
        "jobs": form.calls + form.messages,
        "exits": [round(one, 2) for one in exits],
        "asked": clients.asked,
        "failed": len(clients.failed),
        "callbacks": len(said),
        "callbacks_failed": len(lost),
        "doubts": doubts,
    }
    problems += clients.failed[:5] + [f"callback: {line}" for line in lost[:5]]
    problems += [f"{doubts} in doubt"] if doubts else []
    problems += [f"left after {one:.1f} s" for one in exits if one > EXIT_SECONDS]
    return figures, problems


def _leave(yard: Yard, name: str) -> float:
    """SIGTERM to one process; the seconds until it is gone. Another is ready when this returns."""
    if name in yard.door.names:
        yard.door.leaves(name)
        threading.Event().wait(PRESTOP_SECONDS)
    pid = yard.fleet.pid(name)
    began = time.monotonic()
    yard.fleet.signal(name, signal.SIGTERM)
    gone = wait_until(lambda: yard.fleet.pid(name) != pid, within=_LEAVE_SECONDS)
    seconds = time.monotonic() - began
    assert gone, f"{name} does not leave"
    ready = wait_until(partial(yard.fleet.is_ready, name), within=_READY_SECONDS)
    assert ready, f"{name} does not come back"
    yard.door.is_back(name)
    return seconds
