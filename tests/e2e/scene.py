"""Words that the stories share: a run over some numbers, how far it is, who was dialled."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from trunkline_dev.customer import FINAL, Customer, Kind
from trunkline_dev.demo.evidence import witness_of
from trunkline_dev.servers.processes import wait_until

RUN_SECONDS = 75.0


def numbers(count: int, first: int = 0) -> list[str]:
    """Numbers that belong to nobody: Berlin's range for films and books."""
    return [f"+493023125{first + at:03}" for at in range(count)]


@dataclass(frozen=True, slots=True)
class Campaign:
    """One run of one customer, as the outside sees it."""

    customer: Customer
    kind: Kind
    id: str
    audience: frozenset[str]

    @property
    def run(self) -> dict[str, Any]:
        return self.customer.run(self.id)

    @property
    def requests(self) -> Counter[str]:
        """Requests that the provider accepted, per address: by its own log."""
        accepted = witness_of(self.customer.witnessed(self.kind)).accepted
        return Counter({to: count for to, count in accepted.items() if to in self.audience})

    @property
    def ends(self) -> list[dict[str, Any]]:
        """How each contact's turn ended."""
        return list(self.customer.api.pages(f"/v1/runs/{self.id}/contacts"))

    def await_requests(self, count: int) -> None:
        """Wait until the provider has accepted so many."""
        eventually(lambda: self.requests.total() >= count, f"{count} requests")

    def await_end(self) -> None:
        """Wait until the run is over and every turn's end can be read."""
        eventually(lambda: self.run["state"] in FINAL, "end of the run", told=lambda: self.run)
        total = self.run["total"]
        eventually(lambda: len(self.ends) == total, f"{total} ends", told=lambda: len(self.ends))

    def states(self) -> Counter[str]:
        """Final states of the contacts; a contact that ended twice would be counted twice."""
        assert len({end["contact_id"] for end in self.ends}) == len(self.ends)
        return Counter(end["state"] for end in self.ends)


def begin(
    customer: Customer,
    addresses: Sequence[str],
    kind: Kind = "voice",
    *,
    per_second: float = 100.0,
    **policy: object,
) -> Campaign:
    """Start a run over these numbers."""
    if kind not in customer.accounts:
        customer.add(kind, per_second=per_second)
    imported = customer.import_numbers(addresses)
    assert imported["counts"]["audience"] == len(addresses)
    run = customer.draft(kind, imported["id"], **policy)
    customer.start(run["id"])
    return Campaign(customer, kind, run["id"], frozenset(addresses))


def eventually(
    fact: Callable[[], bool],
    what: str,
    *,
    within: float = RUN_SECONDS,
    told: Callable[[], object] = lambda: "",
) -> None:
    """Wait for a fact, or fail with what was seen instead."""
    assert wait_until(fact, within=within), f"no {what} within {within:g} s: {told()}"
