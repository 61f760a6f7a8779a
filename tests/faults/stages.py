"""Small campaigns that pass the failpoints: what a business does, insisting where we are down."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tests.faults.points import Stage
from tests.faults.records import Records

from trunkline_dev.customer import Customer, Kind
from trunkline_dev.servers.processes import wait_until
from trunkline_dev.stack import Stack
from trunkline_dev.web import Refused

INSIST_SECONDS: Final = 40.0
PAUSE_SECONDS: Final = 1.0  # some six intents, if any could commit
_NUMBERS: Final = {"calls": 24, "doubts": 10, "controls": 40, "messages": 16}
_FIRST: Final = {"calls": 0, "doubts": 100, "controls": 200, "messages": 300}
# Kinds of fault, by the place of the number that they meet: each request to it, every time.
_FAULTS: Final[dict[Stage, tuple[tuple[str, ...], ...]]] = {
    "calls": (("callbacks_lost",), ("callbacks_repeated",)),
    "doubts": (
        ("accept_never_answer", "callbacks_lost"),
        ("error_before_accept",),
        ("accept_then_reset",),
        ("callbacks_lost",),
        ("callbacks_lost",),
        ("error_after_accept", "callbacks_early"),
    ),
    "controls": (),
    "messages": (
        ("accept_never_answer", "callbacks_lost"),
        ("callbacks_lost",),
        ("callbacks_lost",),
    ),
}
_POLICY: Final[dict[Stage, dict[str, object]]] = {
    "calls": {"max_attempts": 2, "retry_after": 1, "ring_timeout": 5, "time_limit": 10},
    "doubts": {"ring_timeout": 5, "time_limit": 10, "record": False},
    "controls": {"ring_timeout": 5, "time_limit": 10, "record": False, "per_second": 6.0},
    "messages": {},
}


@dataclass(frozen=True, slots=True)
class Campaign:
    """One run that was started: what the judge must find of it."""

    stage: Stage
    run_id: str
    kind: Kind
    account: str
    audience: frozenset[str]
    max_attempts: int


@dataclass(frozen=True, slots=True)
class Actor:
    """One business that plays one stage, as often as it is asked to."""

    stage: Stage
    customer: Customer
    audience: tuple[str, ...]
    import_id: str
    records: Records

    @classmethod
    def prepare(cls, stack: Stack, stage: Stage, records: Records) -> Actor:
        """Everything that is there before a run: accounts, contacts, and what shall go wrong."""
        customer = Customer.join(stack, f"Lindenhof {stage}")
        kind: Kind = "whatsapp" if stage == "messages" else "voice"
        account = customer.add(kind, per_second=40.0)
        audience = [f"+493023125{_FIRST[stage] + at:03}" for at in range(_NUMBERS[stage])]
        for place, kinds in enumerate(_FAULTS[stage]):
            for fault in kinds:
                ordered = {
                    "kind": fault,
                    "account": account.account,
                    "to": audience[place],
                }
                stack.sandbox().post("/sandbox/faults", ordered)
        imported = customer.import_numbers(audience)
        return cls(stage, customer, tuple(audience), imported["id"], records)

    def begin(self) -> Campaign:
        """Start a run, and control it where that is what the stage is about."""
        kind: Kind = "whatsapp" if self.stage == "messages" else "voice"
        policy = _POLICY[self.stage]
        run = insist(lambda: self.customer.draft(kind, self.import_id, **policy))
        insist(lambda: self.customer.start(run["id"]))
        if self.stage == "controls":
            self._control(run["id"])
        attempts = policy.get("max_attempts", 1)
        assert isinstance(attempts, int)
        account = self.customer.accounts[kind].account
        return Campaign(self.stage, run["id"], kind, account, frozenset(self.audience), attempts)

    def _control(self, run_id: str) -> None:
        """Pause in the middle, go on, and stop for good with something left."""
        self._await_attempts(run_id, 4)
        self._ask(run_id, "pause", "paused")
        self._see_the_pause(run_id)
        self._ask(run_id, "resume", "running")
        self._await_attempts(run_id, 10)
        self._ask(run_id, "cancel", "cancelling")

    def _see_the_pause(self, run_id: str) -> None:
        """I4: once the pause can be read, whatever committed before it can be as well."""
        if self.records.state(run_id) != "paused":
            return
        made = self.records.attempts(run_id)
        more = wait_until(lambda: self.records.attempts(run_id) > made, within=PAUSE_SECONDS)
        assert not more, f"an intent of {run_id} committed after the pause"

    def _await_attempts(self, run_id: str, count: int) -> None:
        assert wait_until(lambda: self.records.attempts(run_id) >= count, within=INSIST_SECONDS)

    def _ask(self, run_id: str, control: str, state: str) -> None:
        """Ask until somebody took it in; what fits no more has been done before."""
        insist(lambda: self.customer.api.post(f"/v1/runs/{run_id}/{control}"), fits={409})
        over = {state, "cancelled", "completed"}  # it may have come to its end before
        assert wait_until(lambda: self.records.state(run_id) in over, within=INSIST_SECONDS), (
            f"{control} was not heard: the run is {self.records.state(run_id)}"
        )


def insist(ask: Callable[[], Any], *, fits: Sequence[int] | set[int] = ()) -> Any:
    """Ask again for as long as nobody answers, or with an error of ours."""
    answers: list[Any] = []

    def answered() -> bool:
        try:
            answers.append(ask())
        except Refused as refused:
            if refused.answer.status < 500 and refused.answer.status not in fits:
                raise
            if refused.answer.status in fits:
                answers.append(None)
        except OSError:
            return False
        return bool(answers)

    assert wait_until(answered, within=INSIST_SECONDS), "nobody answered"
    return answers[0]
