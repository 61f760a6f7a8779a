"""A channel that was refused is tried with one request a hold; without a request none is spent."""

from __future__ import annotations

import asyncio

import pytest
from tests.integration.outbound.scene import Scene, addresses
from tests.integration.outbound.test_claims import claim, intend

from trunkline_outbound.domain.classification import Result
from trunkline_outbound.records import Recorded, record
from trunkline_outbound.store.claims import Claim

_OVER = "UPDATE channels SET held_until = clock_timestamp() RETURNING 1"
_MAY_TRY = "SELECT held_until <= clock_timestamp() FROM channels"
_OCCUPY = """
INSERT INTO open_sends (business_id, account, from_number, to_number, attempt_id)
SELECT :b, :a, :f, address, 'att_' || address FROM unnest(CAST(:to AS text[])) AS address
RETURNING 1
"""
_IN_THE_WAY = {
    "open_send": (_OCCUPY, "DELETE FROM open_sends RETURNING 1"),
    "pace": (
        "UPDATE pace SET tat = clock_timestamp() + interval '60 s' RETURNING 1",
        "UPDATE pace SET tat = clock_timestamp() RETURNING 1",
    ),
}


async def refused(scene: Scene, jobs: int) -> Claim:
    """A claim of a run whose channel was refused, the hold being over."""
    taken = await claim(scene, await scene.start_run(jobs), "w1", wanted=jobs)
    [first] = (await intend(scene, taken, "w1", wanted=1)).granted
    no = Result("misconfigured", code="20003")
    await record(scene.database, [Recorded(first.attempt_id, taken.run_id, no)])
    await scene.rows(_OVER)
    return taken


@pytest.mark.parametrize("what", sorted(_IN_THE_WAY))
async def test_a_trial_is_not_spent_without_a_job_to_send(scene: Scene, what: str) -> None:
    taken = await refused(scene, 4)
    put, lift = _IN_THE_WAY[what]
    about = {"b": scene.business_id, "a": scene.account, "f": scene.senders[0]}
    in_the_way = about | {"to": addresses(3)} if what == "open_send" else {}
    await scene.rows(put, **in_the_way)
    assert (await intend(scene, taken, "w1", wanted=2)).granted == ()
    assert await scene.value(_MAY_TRY) is True
    await scene.rows(lift)
    assert len((await intend(scene, taken, "w1")).granted) == 1
    assert await scene.value(_MAY_TRY) is False
    assert (await intend(scene, taken, "w1")).granted == ()


async def test_two_who_try_at_once_send_one(scene: Scene) -> None:
    taken = await refused(scene, 10)
    other = await claim(scene, await scene.start_run(10), "w2")
    async with asyncio.TaskGroup() as group:
        tries = [
            group.create_task(intend(scene, each, owner))
            for each, owner in ((taken, "w1"), (other, "w2"))
        ]
    assert sum(len(task.result().granted) for task in tries) == 1
