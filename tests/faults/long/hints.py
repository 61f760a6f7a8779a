"""Every hint is lost, between processes and within them: what waits for one is found by looking."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from tests.faults.long.crowd import Crowd, are_accepted
from tests.faults.long.results import Result
from tests.faults.long.yard import Yard
from tests.faults.stages import insist

from trunkline_dev.servers.processes import wait_until

HEALED_SECONDS: Final = 15.0
_CONTROL_SECONDS: Final = 60.0

_OUTBOX: Final = "(SELECT max(extract(epoch FROM sent_at - occurred_at)) FROM {service}.outbox)"
# Seconds that something waited, for which somebody is usually woken.
_WAITS: Final = {
    "a fact in an outbox": "SELECT greatest("
    + ", ".join(_OUTBOX.format(service=s) for s in ("api", "outbound", "messaging", "recordings"))
    + ") AS worst",
    "what was said of a call": (
        "SELECT max(extract(epoch FROM folded_at - arrived_at)) AS worst FROM outbound.call_events"
    ),
    "what was said of a message": (
        "SELECT max(extract(epoch FROM folded_at - arrived_at)) AS worst"
        " FROM outbound.message_events"
    ),
    "a run until its first intent": (
        "SELECT max(extract(epoch FROM first - started_at)) AS worst FROM outbound.runs JOIN"
        " (SELECT run_id, min(intent_at) AS first FROM outbound.attempts GROUP BY run_id) AS made"
        " USING (run_id)"
    ),
    "a free place until the next intent": (
        "SELECT max(extract(epoch FROM intent_at - freed)) AS worst FROM (SELECT run_id, intent_at,"
        " lag(intent_at) OVER (PARTITION BY run_id ORDER BY intent_at) AS before"
        " FROM outbound.attempts WHERE call_id IS NOT NULL) AS each, LATERAL"
        " (SELECT min(ended_at) AS freed FROM outbound.calls WHERE calls.run_id = each.run_id"
        " AND ended_at > before AND ended_at < intent_at) AS places"
        " WHERE NOT EXISTS (SELECT FROM api.run_controls WHERE control = 'resume'"
        " AND asked_at BETWEEN before AND intent_at)"
    ),
    "a run that is over": (
        "SELECT max(extract(epoch FROM ended_at - last)) AS worst FROM outbound.runs JOIN"
        " (SELECT run_id, max(changed_at) AS last FROM outbound.jobs GROUP BY run_id) AS jobs"
        " USING (run_id)"
    ),
    "a control until its answer": (
        "SELECT max(extract(epoch FROM answered_at - asked_at)) AS worst FROM api.run_controls"
    ),
}


@dataclass(frozen=True, slots=True)
class Form:
    """Contacts of a run of each kind, and places in the air for the calls."""

    calls: int = 900
    messages: int = 300
    places: int = 60


FULL: Final = Form()
SHORT: Final = Form(calls=40, messages=10, places=20)


def play(yard: Yard, result: Result, form: Form = FULL) -> None:
    """A run of calls that lack room, with a pause in it, and one of messages; then the waits."""
    calls = Crowd.gather(yard.stack, "voice", form.calls, first=900_000, in_the_air=form.places)
    messages = Crowd.gather(yard.stack, "whatsapp", form.messages, first=920_000)
    campaigns = [calls.begin(), messages.begin()]
    under_way = partial(are_accepted, yard, 1)
    assert wait_until(under_way, within=_CONTROL_SECONDS), "nothing gets under way"
    _control(yard, calls, campaigns[0].run_id, "pause", "paused")
    _control(yard, calls, campaigns[0].run_id, "resume", "running")
    problems = yard.judge(campaigns)
    waits = {name: _worst(yard, sql) for name, sql in _WAITS.items()}
    problems += [f"{name}: {worst} s" for name, worst in waits.items() if worst > HEALED_SECONDS]
    result.add({"jobs": form.calls + form.messages, "waits": waits}, problems)
    result.figures = {"jobs": form.calls + form.messages, "waits": waits}


def _control(yard: Yard, crowd: Crowd, run_id: str, control: str, state: str) -> None:
    over = {state, "completed"}
    insist(lambda: crowd.customer.api.post(f"/v1/runs/{run_id}/{control}"), fits={409})
    heard = wait_until(lambda: yard.records.state(run_id) in over, within=_CONTROL_SECONDS)
    assert heard, f"{control} is not heard"


def _worst(yard: Yard, sql: str) -> float:
    found: Any = yard.records.rows(sql)[0]["worst"]
    return round(float(found or 0), 2)
