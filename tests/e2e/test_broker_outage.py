"""The broker goes in the middle of a run and comes back: work goes on, requests are taken."""

import pytest
from tests.e2e.scene import begin, eventually, numbers

from trunkline_dev.customer import Customer
from trunkline_dev.stack import Stack
from trunkline_dev.stack.outage import broker_outage

pytestmark = pytest.mark.timeout(300)
CALLS = 80


@pytest.mark.defect("D-27")
def test_the_broker_goes_and_comes_back_while_runs_go_on(stack: Stack, customer: Customer) -> None:
    if stack.layout.servers.rabbitmq_source == "given by URL":
        pytest.skip("the broker was given by URL: it is not ours to stop")
    before = begin(customer, numbers(CALLS), per_second=20.0)
    before.await_requests(10)
    with broker_outage(stack.folder):
        health = stack.api().ask("GET", "/health/ready")
        during = begin(customer, numbers(20, first=500))  # 201, 201 and 202, or it raises
        assert during.run["state"] == "starting"
        assert during.requests.total() == 0
    assert health.status == 200, "requests are answered without the broker"
    for campaign in (before, during):
        campaign.await_end()
        assert campaign.states() == {"done": len(campaign.audience)}
        assert campaign.requests == dict.fromkeys(campaign.audience, 1)
    eventually(
        lambda: stack.api().ask("GET", "/health/ready").body["dependencies"]["broker"] == "up",
        "broker in api's readiness",
    )
