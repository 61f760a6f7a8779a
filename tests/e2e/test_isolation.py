"""A second business cannot read, start or list anything of the first."""

import pytest
from tests.e2e.scene import begin, numbers

from trunkline_dev.customer import Customer
from trunkline_dev.stack import Stack

pytestmark = pytest.mark.timeout(150)


def test_a_second_business_sees_nothing_of_the_first(stack: Stack, customer: Customer) -> None:
    campaign = begin(customer, numbers(3))
    campaign.await_end()
    call = next(customer.api.pages(f"/v1/runs/{campaign.id}/calls"))
    contact = next(customer.api.pages("/v1/contacts"))
    stranger = Customer.join(stack, "Somebody else").api

    for method, path in (
        ("GET", f"/v1/runs/{campaign.id}"),
        ("GET", f"/v1/runs/{campaign.id}/contacts"),
        ("GET", f"/v1/runs/{campaign.id}/calls"),
        ("GET", f"/v1/runs/{campaign.id}/messages"),
        ("POST", f"/v1/runs/{campaign.id}/start"),
        ("GET", f"/v1/calls/{call['id']}"),
        ("GET", f"/v1/contacts/{contact['id']}"),
    ):
        answer = stranger.ask(method, path)
        assert (path, answer.status) == (path, 404)
        assert answer.headers["content-type"] == "application/problem+json"
        assert campaign.id not in str(answer.body)
    for path in ("/v1/runs", "/v1/calls", "/v1/contacts", "/v1/messages", "/v1/channels"):
        assert (path, list(stranger.pages(path))) == (path, [])
