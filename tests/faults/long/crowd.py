"""Businesses with thousands of contacts, whose runs are begun again and again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

from tests.faults.long.yard import Yard
from tests.faults.points import Stage
from tests.faults.stages import Campaign, insist

from trunkline_dev.customer import Customer, Kind
from trunkline_dev.stack import Stack

PACE: Final = 500.0
IN_THE_AIR: Final = 4_000
_IMPORT_SECONDS: Final = 120.0
_FIRST: Final = 23_200_000  # after Berlin's prefix
_CALLS: Final = {"ring_timeout": 5, "time_limit": 10, "record": False}


def numbers(count: int, first: int = 0) -> list[str]:
    """Numbers of one town; only the sandbox ever hears them."""
    return [f"+4930{_FIRST + first + at}" for at in range(count)]


@dataclass(frozen=True, slots=True)
class Crowd:
    """One business, one account, one import; each run is over all of it."""

    customer: Customer
    kind: Kind
    audience: tuple[str, ...]
    import_id: str

    @classmethod
    def gather(
        cls,
        stack: Stack,
        kind: Kind,
        count: int,
        *,
        pace: float = PACE,
        first: int = 0,
        in_the_air: int = IN_THE_AIR,
    ) -> Crowd:
        """Join, open an account and import that many contacts."""
        customer = Customer.join(stack, f"Lindenhof {kind} {count}")
        if kind == "voice":
            customer.add_voice(per_second=pace, concurrent=in_the_air)
        else:
            customer.add_whatsapp(per_second=pace, concurrent=in_the_air)
        audience = numbers(count, first)
        customer.api = replace(customer.api, seconds=_IMPORT_SECONDS)
        imported = customer.import_numbers(audience)
        return cls(customer, kind, tuple(audience), imported["id"])

    @property
    def account(self) -> str:
        """The account at the provider."""
        return self.customer.accounts[self.kind].account

    def begin(self, **policy: Any) -> Campaign:
        """Draft and start a run, insisting where somebody is down."""
        given = {**(_CALLS if self.kind == "voice" else {}), **policy}
        run = insist(lambda: self.customer.draft(self.kind, self.import_id, **given))
        insist(lambda: self.customer.start(run["id"]), fits={409})
        stage: Stage = "calls" if self.kind == "voice" else "messages"
        most = int(policy.get("max_attempts", 1))
        return Campaign(stage, run["id"], self.kind, self.account, frozenset(self.audience), most)

    def order(self, kind: str, **about: Any) -> None:
        """A fault of the provider's, for this account alone."""
        order = {"kind": kind, "account": self.account, **about}
        self.customer.stack.sandbox().post("/sandbox/faults", order)


def are_accepted(yard: Yard, count: int) -> bool:
    """Whether the provider has accepted so many requests, of whomever."""
    return yard.witness.look() >= count
