"""The provider refuses, fails and falls silent, before and after it accepted: nobody twice."""

from collections import Counter
from typing import Any

import pytest
from tests.e2e.scene import Campaign, begin, numbers

from trunkline_dev.customer import Customer

pytestmark = pytest.mark.timeout(150)


def order(customer: Customer, kind: str, **about: object) -> None:
    """Order a fault at the sandbox for this customer's account."""
    account = customer.accounts["voice"].account
    customer.stack.sandbox().post("/sandbox/faults", {"kind": kind, "account": account, **about})


def ends(campaign: Campaign) -> dict[str, dict[str, Any]]:
    """How each turn ended, by the number."""
    phones = {one["id"]: one["phone"] for one in campaign.customer.api.pages("/v1/contacts")}
    return {phones[end["contact_id"]]: end for end in campaign.ends}


def test_whatever_the_provider_does_nobody_is_dialled_twice(customer: Customer) -> None:
    addresses = numbers(40)
    customer.add_voice(per_second=50.0)
    failing = ("error_after_accept", "accept_never_answer", "accept_then_reset")
    for at, kind in enumerate(failing):
        order(customer, kind, to=addresses[at])
    order(customer, "error_before_accept", to=addresses[3])
    order(customer, "reject", to=addresses[4], code=21211)
    order(customer, "rate_limit", retry_after=1, nth=10)
    order(customer, "rate_limit", retry_after=1, nth=20)
    campaign = begin(customer, addresses)
    campaign.await_end()

    ended = ends(campaign)
    # A callback proves what the answer could not say.
    assert {ended[to]["state"] for to in addresses[:3]} == {"done"}
    # Nothing proves that it was not accepted: it is not tried again.
    assert ended[addresses[3]]["state"] == "unknown"
    assert (ended[addresses[4]]["state"], ended[addresses[4]]["outcome"]) == ("done", "failed")
    assert Counter(ended[to]["state"] for to in addresses[5:]) == {"done": 35}
    accepted = dict.fromkeys([*addresses[:3], *addresses[5:]], 1)
    assert campaign.requests == accepted
    rejected = [line for line in customer.witnessed("voice") if line["kind"] == "rejected"]
    assert Counter(line["code"] for line in rejected) >= Counter({21211: 1, 20429: 2})


def test_callbacks_lost_repeated_shuffled_and_early_give_one_final_state_each(
    customer: Customer,
) -> None:
    addresses = numbers(36)
    customer.add_voice(per_second=50.0)
    for to in addresses[:2]:
        order(customer, "callbacks_lost", to=to)
    for to in addresses[2:12]:
        order(customer, "callbacks_repeated", to=to, copies=3)
    for to in addresses[8:24]:
        order(customer, "callbacks_shuffled", to=to, milliseconds=800)
    for to in addresses[20:32]:
        order(customer, "callbacks_early", to=to)
    for to in addresses[28:30]:
        order(customer, "callbacks_forged", to=to)
    # Silence is borne for as long as a call may ring and last, and a margin.
    campaign = begin(customer, addresses, ring_timeout=10, time_limit=15)
    campaign.await_end()

    ended = ends(campaign)
    silent = [*addresses[:2], *addresses[28:30]]
    assert {ended[to]["state"] for to in silent} == {"unknown"}
    heard = [to for to in addresses if to not in silent]
    assert {ended[to]["state"] for to in heard} == {"done"}
    assert campaign.requests == dict.fromkeys(addresses, 1)
    # The provider's last word on each call is the outcome that we show.
    last = {
        line["to"]: line["status"]
        for line in customer.witnessed("voice")
        if line["kind"] == "call_status" and line["final"]
    }
    words = {"completed": "answered", "no-answer": "no_answer"}
    assert {to: ended[to]["outcome"] for to in heard} == {
        to: words.get(last[to], last[to]) for to in heard
    }
    lines = Counter(line["kind"] for line in customer.witnessed("voice"))
    assert lines["callback_lost"] > 0
    calls = list(customer.api.pages(f"/v1/runs/{campaign.id}/calls"))
    assert Counter(call["contact_id"] for call in calls).most_common(1)[0][1] == 1
