"""One stack of real processes for all stories: short leases, so that take-overs are soon seen."""

from collections.abc import Iterator

import pytest

from trunkline_dev.checkout import checkout_root
from trunkline_dev.customer import Customer
from trunkline_dev.servers.command import given_by
from trunkline_dev.settings import Settings
from trunkline_dev.stack import Options, Replica, Stack

SECOND = Replica("outbound-2", "outbound", "worker")

_OUTBOUND = {
    "OUTBOUND_LEASE_SECONDS": "4",
    "OUTBOUND_RENEW_SECONDS": "1",
    "OUTBOUND_MARGIN_SECONDS": "1",
    "OUTBOUND_SEND_DEADLINE_SECONDS": "2",
    "OUTBOUND_ANSWER_SECONDS": "3",
    "OUTBOUND_SWEEP_SECONDS": "0.5",
    "OUTBOUND_CLAIM_SIZE": "10",
    "OUTBOUND_MICRO_BATCH": "10",
    "OUTBOUND_IN_DOUBT_HORIZON_SECONDS": "20",
    "OUTBOUND_CALL_MARGIN_SECONDS": "5",
    "OUTBOUND_MESSAGE_HORIZON_SECONDS": "5",
}


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """Everything, started once; each story brings a business of its own."""
    options = Options(
        instance="test-e2e",
        speed=120.0,
        given=given_by(Settings()),
        environment={"outbound": _OUTBOUND},
    )
    running = Stack(checkout_root(), options)
    running.stop()
    with running:
        yield running


@pytest.fixture
def customer(stack: Stack) -> Iterator[Customer]:
    """A business of this story's own; faults that it ordered end with it."""
    yield Customer.join(stack, "Lindenhof Opticians")
    stack.sandbox().ask("DELETE", "/sandbox/faults")


@pytest.fixture
def second_worker(stack: Stack) -> Iterator[Replica]:
    """A second process of outbound beside the first; put back if the story ended it."""
    stack.start_replicas([SECOND])
    yield SECOND
    stack.drop(SECOND.name)
