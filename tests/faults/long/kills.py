"""A thousand kills over fifty thousand jobs: nobody lost, nobody twice, nothing stuck."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from tests.faults.judge import gather
from tests.faults.long.crowd import Crowd, are_accepted
from tests.faults.long.deaths import Coroner, Death
from tests.faults.long.killing import Killer, blows
from tests.faults.long.results import Result, percentiles
from tests.faults.long.times import SCALE
from tests.faults.long.yard import Yard
from tests.faults.stages import Campaign

from trunkline_dev.servers.processes import wait_until

ROUNDS: Final = 10
KILLS: Final = 1_000
AIM_SECONDS: Final = 45.0
_PATIENCE_SECONDS: Final = 4.0  # without progress the next kill comes anyway
_RECOVERY_SECONDS: Final = 450.0  # of the protocol's own; a doubt's grace is the longest of it


@dataclass(frozen=True, slots=True)
class Size:
    """One round: contacts by what is done with them, and kills."""

    calls: int = 3_600
    recorded: int = 200
    messages: int = 1_200
    kills: int = KILLS // ROUNDS

    @property
    def jobs(self) -> int:
        return self.calls + self.recorded + self.messages


@dataclass(frozen=True, slots=True)
class Form:
    """How much is played, and with which constants; `pace` is that of the calls, per second."""

    size: Size = Size()
    rounds: int = ROUNDS
    scale: float = SCALE
    pace: float = 30.0


FULL: Final = Form()
AS_THEY_ARE: Final = Form(Size(1_500, 100, 400, kills=20), 1, scale=1.0, pace=12.0)
SHORT: Final = Form(Size(120, 20, 60, kills=5), 1)


def crowds_of(yard: Yard, size: Size) -> list[Crowd]:
    """The businesses of a yard; their provider is a little slow, so that much is on its way."""
    crowds = [
        Crowd.gather(yard.stack, "voice", size.calls),
        Crowd.gather(yard.stack, "voice", size.recorded, first=100_000),
        Crowd.gather(yard.stack, "whatsapp", size.messages, first=200_000),
    ]
    for crowd in crowds:
        crowd.order("delay_answer", probability=0.3, milliseconds=250)
    return crowds


def begin(crowds: Sequence[Crowd], pace: float) -> list[Campaign]:
    """A run of each: calls are tried again where the provider had nothing, or nobody was there."""
    calls, recorded, messages = crowds
    return [
        calls.begin(when_absent="resend", per_second=pace),
        recorded.begin(record=True, max_attempts=2, retry_after=2, per_second=pace / 10),
        messages.begin(per_second=pace / 3),
    ]


def a_round(
    yard: Yard, crowds: Sequence[Crowd], form: Form, dice: random.Random
) -> tuple[dict[str, Any], list[str]]:
    """Runs of every kind, kills along their way, and what the records say in the end."""
    size, before = form.size, yard.witness.look()
    campaigns = begin(crowds, form.pace)
    coroner = Coroner(yard.records.url, yard.fleet.is_ready)
    every = size.jobs / (size.kills + 1)
    with coroner.watch():
        killer = Killer(yard, coroner, dice)
        for at, blow in enumerate(blows(size.kills, dice), 1):
            due = before + int(every * at)
            wait_until(partial(are_accepted, yard, due), within=_PATIENCE_SECONDS)
            killer.strike(blow)
        wait_until(lambda: not coroner.open(), within=_RECOVERY_SECONDS * form.scale)
    problems = yard.judge(campaigns)
    figures = told(coroner.deaths) | ends_of(yard, campaigns)
    problems += [f"not made up for: {one.told()}" for one in coroner.open()]
    if coroner.failed is not None:
        problems.append(f"the watch itself failed: {coroner.failed!r}")
    yard.witness.forget()
    return figures, problems


def told(deaths: Sequence[Death]) -> dict[str, Any]:
    """What the kills of a round were, and how long each took to be made up for."""
    return {
        "kills": len(deaths),
        "by_part": dict(Counter(one.part for one in deaths)),
        "in_window": sum(bool(one.attempts) for one in deaths),
        "at_a_place": sum(one.how != "SIGKILL" for one in deaths),
        "orphans": sum(len(one.attempts) for one in deaths),
        "recovered": [round(one.recovered, 2) for one in deaths if one.recovered is not None],
        "ready": [round(one.ready, 2) for one in deaths if one.ready is not None],
        "resolved": [
            round(one.resolved, 2) for one in deaths if one.attempts and one.resolved is not None
        ],
    }


def ends_of(yard: Yard, campaigns: Sequence[Campaign]) -> dict[str, Any]:
    """How the jobs ended, and how often the provider accepted a request."""
    ends: Counter[str] = Counter()
    requests = 0
    for evidence in gather(yard.records, campaigns, yard.witness.lines):
        ends.update(job["state"] for job in evidence.found["jobs"])
        requests += evidence.accepted.total()
    return {"jobs": ends.total(), "ends": dict(ends), "requests": requests}


def summed(result: Result, *, scale: float) -> dict[str, Any]:
    """All rounds together; unscaled, seconds are multiples of the constants that were played."""
    recovered = [one for each in result.rounds for one in each["recovered"]]
    resolved = [one for each in result.rounds for one in each["resolved"]]
    ready = [one for each in result.rounds for one in each["ready"]]
    sums = {
        name: sum(each[name] for each in result.rounds)
        for name in ("jobs", "requests", "kills", "in_window", "at_a_place", "orphans")
    }
    ends = sum((Counter(each["ends"]) for each in result.rounds), Counter())
    return {
        **sums,
        "ends": dict(ends),
        "scale": scale,
        "recovered": percentiles(recovered),
        "recovered_unscaled": percentiles([one / scale for one in recovered]),
        "resolved": percentiles(resolved),
        "ready": percentiles(ready),
    }


def play(yard: Yard, result: Result, form: Form = FULL) -> None:
    """The kills, in rounds; those that an earlier start has played are not played again."""
    left = range(len(result.rounds), form.rounds)
    crowds = crowds_of(yard, form.size) if left else []
    for number in left:
        result.add(*a_round(yard, crowds, form, result.dice(number)))
    if result.rounds:
        result.figures = summed(result, scale=form.scale)
        worst = result.figures["recovered_unscaled"].get("p99", 0.0)
        if form.scale == 1.0 and worst > AIM_SECONDS:
            result.problems.append(f"recovered within {worst} s: the aim is {AIM_SECONDS:g} s")


def play_unscaled(yard: Yard, result: Result) -> None:
    """Twenty kills with the protocol's own constants."""
    play(yard, result, AS_THEY_ARE)
