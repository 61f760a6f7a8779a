"""A provider of whose requests a fifth gets no answer, half of those accepted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from tests.faults.judge import gather
from tests.faults.long.crowd import Crowd
from tests.faults.long.results import Result
from tests.faults.long.yard import Yard
from tests.faults.records import Row

REQUESTS: Final = 20_000
ROUNDS: Final = 2
SILENT: Final = 0.1  # accepted, and again as many not accepted
MUTE: Final = 0.04  # of those: no callback either, so that only the list can tell
NOT_ACCEPTED: Final = "never_answer"
ACCEPTED: Final = "accept_never_answer"


@dataclass(frozen=True, slots=True)
class Form:
    """One round: contacts, and at least so many requests in all rounds."""

    calls: int = 6_400
    messages: int = 3_000
    rounds: int = ROUNDS
    requests: int = REQUESTS


FULL: Final = Form()
SHORT: Final = Form(calls=60, messages=20, rounds=1, requests=80)


def play(yard: Yard, result: Result, form: Form = FULL) -> None:
    """Campaigns whose lost answers are cleared up: by callbacks, by lists, by a second try."""
    crowds = [
        Crowd.gather(yard.stack, "voice", form.calls, first=400_000),
        Crowd.gather(yard.stack, "whatsapp", form.messages, first=420_000),
    ]
    for number in range(len(result.rounds), form.rounds):
        for crowd in crowds if number == len(result.rounds) else ():
            _misbehave(crowd, result.dice(number))
        result.add(*_round(yard, crowds))
    result.figures = _summed(result.rounds)
    if result.figures["requests"] < form.requests:
        result.problems.append(f"only {result.figures['requests']} requests were made")


def _misbehave(crowd: Crowd, dice: Random) -> None:
    """Orders of one seed meet the same requests: the dice of the rarer are within the other's."""
    one, other = dice.randrange(10**6), dice.randrange(10**6)
    crowd.order(NOT_ACCEPTED, probability=SILENT, seed=one)
    crowd.order(ACCEPTED, probability=SILENT / (1 - SILENT), seed=other)
    crowd.order("callbacks_lost", probability=MUTE, seed=other)


def _round(yard: Yard, crowds: Sequence[Crowd]) -> tuple[dict[str, Any], list[str]]:
    yard.witness.look()
    yard.witness.forget()
    calls, messages = crowds
    campaigns = [calls.begin(when_absent="resend"), messages.begin()]
    problems = yard.judge(campaigns)
    ours = {campaign.account for campaign in campaigns}
    accepted = sum(
        line["kind"] in {"call_accepted", "message_accepted"} and line["account"] in ours
        for line in yard.witness.lines
    )
    silent = _silences(yard.witness.lines, ours)
    ends: Counter[str] = Counter()
    for evidence in gather(yard.records, campaigns, yard.witness.lines):
        ends.update(f"{evidence.campaign.kind} {job['state']}" for job in evidence.found["jobs"])
    unaccepted = silent[NOT_ACCEPTED]
    figures = {
        "requests": accepted + unaccepted,
        "not_accepted_and_silent": unaccepted,
        "accepted_and_silent": silent[ACCEPTED],
        "jobs": ends.total(),
        "ends": dict(ends),
    }
    return figures, problems


def _silences(lines: Sequence[Row], ours: set[str]) -> Counter[str]:
    """Requests without an answer, by what became of them; one that meets both is not accepted."""
    silent: Counter[str] = Counter()
    before: Row = {}
    for line in lines:
        if line["kind"] == "fault" and line["account"] in ours:
            both = before.get("fault") == NOT_ACCEPTED and before.get("to") == line["to"]
            if not (both and line["fault"] == ACCEPTED):
                silent[line["fault"]] += 1
            before = line
        elif line["kind"] != "fault":
            before = {}
    return silent


def _summed(rounds: Sequence[dict[str, Any]]) -> dict[str, Any]:
    names = ("requests", "not_accepted_and_silent", "accepted_and_silent", "jobs")
    ends = sum((Counter(each["ends"]) for each in rounds), Counter[str]())
    return {name: sum(each[name] for each in rounds) for name in names} | {"ends": dict(ends)}
