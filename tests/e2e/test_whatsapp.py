"""A WhatsApp run with a text, end to end, statuses back."""

from collections import Counter

import pytest
from tests.e2e.scene import begin, eventually, numbers

from trunkline_dev.customer import Customer
from trunkline_dev.demo.evidence import witness_of

pytestmark = pytest.mark.timeout(150)


def test_a_whatsapp_run_writes_once_to_each_and_shows_what_was_read(customer: Customer) -> None:
    campaign = begin(customer, numbers(40), "whatsapp")
    campaign.await_end()

    assert campaign.run["state"] == "completed"
    assert campaign.states() == {"done": 40}
    assert campaign.requests == dict.fromkeys(campaign.audience, 1)

    def shown() -> Counter[str]:
        messages = customer.api.pages(f"/v1/runs/{campaign.id}/messages")
        return Counter(message["state"] for message in messages)

    def said() -> Counter[str]:
        return witness_of(customer.witnessed("whatsapp")).outcomes

    def turns() -> Counter[str]:
        return Counter(end["outcome"] for end in campaign.ends)

    eventually(
        lambda: shown() == turns() == said(),
        "same statuses",
        told=lambda: (shown(), turns(), said()),
    )
    assert said().total() == 40
    # Without a callback each would have stayed `accepted`, and still been done at its horizon.
    assert said()["read"] > 0
    assert said()["delivered"] > 0
