"""`make demo STORY=controls`: a campaign with every control a manager has, by the public API."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from trunkline_dev.customer import Customer
from trunkline_dev.demo.evidence import witness_of
from trunkline_dev.demo.verdicts import Verdict
from trunkline_dev.demo.watching import TooSlow
from trunkline_dev.servers.processes import wait_until

_SECONDS: Final = 75.0  # for any one thing that is waited for
AUDIENCE: Final = tuple(f"+493023125{at:03}" for at in range(15))  # numbers of films and books
_LATER: Final = 3  # contacts that are added while the run is paused
_PACE: Final = 2.0  # requests a second, so that there is something left to pause and to cancel

Say = Callable[[str, Iterable[str]], None]


@dataclass(frozen=True, slots=True)
class Managed:
    """One run, as its manager sees and controls it."""

    customer: Customer
    id: str

    @property
    def run(self) -> dict[str, Any]:
        return self.customer.run(self.id)

    @property
    def requests(self) -> Counter[str]:
        """What the provider accepted of the whole account, by number and by its own log."""
        return Counter(witness_of(self.customer.witnessed("voice")).accepted)

    def ask(self, what: str, body: object = None) -> dict[str, Any]:
        """A control, and the answer that says what came of it."""
        api, path = self.customer.api, f"/v1/runs/{self.id}"
        asked = api.post(f"{path}/{what}", body)
        control = f"{path}/controls/{asked['id']}"
        _await(lambda: api.get(control)["state"] == "done", f"answer to {what}")
        answer: dict[str, Any] = api.get(control)["answer"]
        return answer

    def forecast(self) -> dict[str, Any]:
        """What would become of it."""
        api, path = self.customer.api, f"/v1/runs/{self.id}/forecast"
        api.post(path)
        _await(lambda: api.get(path)["state"] == "done", "forecast")
        forecast: dict[str, Any] = api.get(path)["forecast"]
        return forecast

    def await_requests(self, count: int) -> None:
        _await(lambda: self.requests.total() >= count, f"{count} requests")

    def await_state(self, state: str) -> None:
        _await(lambda: self.run["state"] == state, f"run that is {state}")


def play(customer: Customer, say: Say = lambda _title, _lines: None) -> list[Verdict]:
    """The whole story, told as it goes; what must hold of it."""
    customer.add_voice(per_second=50.0)
    imported = customer.import_numbers(AUDIENCE[:-_LATER])
    managed = Managed(customer, customer.draft("voice", imported["id"], per_second=_PACE)["id"])
    verdicts = [
        *_checked(managed, say),
        *_paused_and_fed(managed, say),
        *_cancelled(managed, say),
        *_made_up_for(managed, say),
    ]
    say("does it hold?", ())
    return verdicts


def _checked(managed: Managed, say: Say) -> Iterator[Verdict]:
    valid = managed.customer.api.post(f"/v1/runs/{managed.id}/validate")
    forecast = managed.forecast()
    shown = ("contacts", "suppressed", "invalid", "open", "outside", "limits", "ends_at")
    say("a draft, validated and forecast", [f"{name}: {forecast[name]}" for name in shown])
    yield Verdict(valid == {"valid": True, "problems": []}, "the draft is valid", f"{valid}")
    requests = managed.requests.total()
    yield Verdict(
        (forecast["contacts"], requests) == (len(AUDIENCE) - _LATER, 0),
        "a forecast counts and starts nothing",
        f"{forecast['contacts']} contacts, {requests} requests so far",
    )


def _paused_and_fed(managed: Managed, say: Say) -> Iterator[Verdict]:
    managed.customer.start(managed.id)
    managed.await_requests(2)
    managed.ask("pause")
    before = managed.requests.total()
    more = managed.customer.import_numbers(AUDIENCE[-_LATER:])
    added = managed.ask("contacts", {"import_id": more["id"]})
    during = managed.requests.total()
    say(
        "started, paused, and fed while it was paused",
        [f"{before} requests when the pause was there, {during} after {added['added']} were added"],
    )
    yield Verdict(
        (added["added"], added["rejects"]) == (_LATER, 0),
        "contacts are added to a run that is paused",
        f"{added['added']} added, {added['rejects']} refused",
    )
    yield Verdict(
        during <= before + 2,
        "a pause lets only through what was under way",
        f"{during - before} requests after it",
    )
    managed.ask("resume")
    managed.await_requests(before + 2)


def _cancelled(managed: Managed, say: Say) -> Iterator[Verdict]:
    receipt = managed.ask("cancel")
    managed.await_state("cancelled")
    stopped, requests = managed.run["states"]["cancelled"], managed.requests.total()
    say(
        "resumed, and cancelled with a receipt",
        [f"{name}: {receipt[name]}" for name in ("stopped", "in_flight", "ended")],
    )
    yield Verdict(
        receipt["stopped"] + receipt["in_flight"] + receipt["ended"] == len(AUDIENCE)
        and 0 < receipt["stopped"] <= stopped <= receipt["stopped"] + receipt["in_flight"],
        "the receipt accounts for everybody",
        f"of {len(AUDIENCE)}: {receipt['stopped']} stopped at once, {stopped} in the end",
    )
    yield Verdict(
        requests == len(AUDIENCE) - stopped,
        "who was stopped was never dialled, everybody else once",
        f"{requests} requests and {stopped} stopped",
    )


def _made_up_for(managed: Managed, say: Say) -> Iterator[Verdict]:
    asked = {"key": "the-rest", "outcomes": ["cancelled"], "policy": {"per_second": 50}}
    api, path = managed.customer.api, f"/v1/runs/{managed.id}/reruns"
    child, again = (api.post(path, asked | {"start": True}) for _ in range(2))
    stopped = managed.run["states"]["cancelled"]
    made_up = Managed(managed.customer, child["id"])
    made_up.await_state("completed")
    say("run again for those who were stopped", [f"{child['id']}: {made_up.run['total']} contacts"])
    yield Verdict(
        again["id"] == child["id"] and made_up.run["total"] == stopped,
        "one child for one key, with whoever was stopped",
        f"{made_up.run['total']} of {stopped}",
    )
    requests = managed.requests
    yield Verdict(
        requests == Counter(AUDIENCE),
        "in both runs together everybody was dialled once",
        f"{requests.total()} requests to {len(requests)} of {len(AUDIENCE)} numbers",
    )


def _await(fact: Callable[[], bool], what: str) -> None:
    if not wait_until(fact, within=_SECONDS):
        raise TooSlow(f"no {what} within {_SECONDS:g} s")
