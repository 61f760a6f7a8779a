"""PostgreSQL stops at once, two hundred times, while campaigns go on."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from random import Random
from threading import Event
from typing import Any, Final

from tests.faults.long.crowd import Crowd, are_accepted
from tests.faults.long.results import Result, percentiles
from tests.faults.long.yard import Yard

from trunkline_dev.servers.processes import wait_until
from trunkline_dev.stack.outage import database_outage

STOPS: Final = 200
ROUNDS: Final = 4
_PATIENCE_SECONDS: Final = 5.0
_BACK_SECONDS: Final = 60.0
_AWAY: Final = (0.0, 0.5)


@dataclass(frozen=True, slots=True)
class Form:
    """One round: contacts, and stops among them."""

    calls: int = 2_400
    messages: int = 800
    stops: int = STOPS // ROUNDS
    rounds: int = ROUNDS


FULL: Final = Form()
SHORT: Final = Form(calls=60, messages=20, stops=2, rounds=1)


def play(yard: Yard, result: Result, form: Form = FULL) -> None:
    """Stop, start, look whether requests go out again; at the end the judge."""
    crowds = [
        Crowd.gather(yard.stack, "voice", form.calls, first=300_000),
        Crowd.gather(yard.stack, "whatsapp", form.messages, first=320_000),
    ]
    for number in range(len(result.rounds), form.rounds):
        result.add(*_round(yard, crowds, form, result.dice(number)))
    result.figures = _summed(result.rounds)


def _round(
    yard: Yard, crowds: Sequence[Crowd], form: Form, dice: Random
) -> tuple[dict[str, Any], list[str]]:
    before, begun = yard.witness.look(), yard.fleet.begun()
    campaigns = [crowd.begin(when_absent="resend") for crowd in crowds]
    every = (form.calls + form.messages) / (form.stops + 2)
    back: list[float] = []
    for at in range(1, form.stops + 1):
        due = before + int(every * at)
        wait_until(partial(are_accepted, yard, due), within=_PATIENCE_SECONDS)
        with database_outage(yard.stack.folder):
            Event().wait(dice.uniform(*_AWAY))
        seconds = _until_requests_go_out(yard)
        if seconds is not None:
            back.append(seconds)
    problems = yard.judge(campaigns)
    yard.witness.forget()
    ended = {name: now - begun[name] for name, now in yard.fleet.begun().items()}
    problems += [f"{name} ended {count} times" for name, count in ended.items() if count]
    figures = {
        "stops": form.stops,
        "jobs": form.calls + form.messages,
        "requests": yard.witness.accepted - before,
        "back": [round(one, 2) for one in back],
    }
    return figures, problems


def _until_requests_go_out(yard: Yard) -> float | None:
    """Seconds from the server's return until the provider accepts the next; none if all are out."""
    began, seen = time.monotonic(), yard.witness.look()

    def goes_on() -> bool:
        return yard.witness.look() > seen or _is_all_out(yard)

    wait_until(goes_on, within=_BACK_SECONDS)
    return time.monotonic() - began if yard.witness.accepted > seen else None


def _is_all_out(yard: Yard) -> bool:
    sql = "SELECT EXISTS (SELECT FROM outbound.runs WHERE state IN ('ready', 'running')) AS any"
    return not yard.records.rows(sql)[0]["any"]


def _summed(rounds: Sequence[dict[str, Any]]) -> dict[str, Any]:
    back = [one for each in rounds for one in each["back"]]
    sums = {name: sum(each[name] for each in rounds) for name in ("stops", "jobs", "requests")}
    return {**sums, "watched": len(back), "back": percentiles(back)}
