"""Several processes of outbound on one run: they share it, and one may die or leave mid-way."""

import asyncio

import asyncpg
import pytest
from tests.e2e.scene import begin, numbers

from trunkline_dev.customer import Customer
from trunkline_dev.servers.processes import wait_until
from trunkline_dev.stack import Replica, Stack

pytestmark = pytest.mark.timeout(180)
CALLS = 120
PER_SECOND = 25.0  # a few seconds long, so that there is a middle


def senders(stack: Stack, run_id: str) -> dict[str, int]:
    """Requests of a run by the process that made them, from the processes' own span files."""
    counts = {}
    for path in stack.layout.spans.glob("outbound-*.jsonl"):
        lines = path.read_text().splitlines()
        counts[path.stem] = sum('"name": "POST Calls"' in line and run_id in line for line in lines)
    return {name: count for name, count in counts.items() if count}


def doubts(stack: Stack, run_id: str) -> int:
    """Attempts of a run that were ever in doubt, by outbound's own log of decisions."""

    async def ask() -> int:
        url = stack.layout.database_url("trunkline_outbound")
        connection = await asyncpg.connect(url, timeout=10)
        try:
            sql = "SELECT count(*) FROM decisions WHERE run_id = $1 AND decision = 'in_doubt'"
            return int(await connection.fetchval(sql, run_id))
        finally:
            await connection.close(timeout=10)

    return asyncio.run(ask())


@pytest.mark.defect("D-01")
def test_two_workers_share_a_run(stack: Stack, customer: Customer, second_worker: Replica) -> None:
    campaign = begin(customer, numbers(CALLS), per_second=PER_SECOND)
    campaign.await_end()

    assert campaign.states() == {"done": CALLS}
    assert campaign.requests == dict.fromkeys(campaign.audience, 1)
    pids = {f"outbound-{stack.process(name).pid}" for name in ("outbound", second_worker.name)}
    assert wait_until(lambda: sum(senders(stack, campaign.id).values()) == CALLS, within=10)
    assert senders(stack, campaign.id).keys() == pids


@pytest.mark.defect("D-05")
@pytest.mark.trap("results after the batch")
def test_a_killed_dispatcher_is_taken_over_and_nobody_is_dialled_twice(
    stack: Stack, customer: Customer, second_worker: Replica
) -> None:
    campaign = begin(customer, numbers(CALLS), per_second=PER_SECOND)
    campaign.await_requests(CALLS // 4)
    stack.kill(second_worker.name)
    assert campaign.requests.total() < CALLS, "the kill came too late to prove anything"
    campaign.await_end()

    states = campaign.states()
    assert campaign.run["state"] == "completed"
    assert max(campaign.requests.values()) == 1
    # What was on its way at that moment may never have arrived: then it is unknown, not sent again.
    assert states.total() == CALLS
    assert states.keys() <= {"done", "unknown"}
    assert states["done"] == campaign.requests.total()
    assert states["unknown"] <= PER_SECOND  # an intent is admitted a second ahead at most


def test_a_worker_that_is_told_to_leave_leaves_nothing_in_doubt(
    stack: Stack, customer: Customer, second_worker: Replica
) -> None:
    campaign = begin(customer, numbers(CALLS), per_second=PER_SECOND)
    campaign.await_requests(CALLS // 4)
    leaving = f"outbound-{stack.process(second_worker.name).pid}"
    assert campaign.requests.total() < CALLS, "too late to prove anything"
    stack.end(second_worker.name)
    campaign.await_end()

    assert campaign.states() == {"done": CALLS}
    assert campaign.requests == dict.fromkeys(campaign.audience, 1)
    assert 0 < senders(stack, campaign.id)[leaving] < CALLS
    assert doubts(stack, campaign.id) == 0
