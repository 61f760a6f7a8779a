"""A run's audience becomes numbered jobs without a gap, in whatever order its pieces arrive."""

from __future__ import annotations

import itertools

import pytest
from tests.integration.outbound.scene import Scene, addresses, contacts_of

from trunkline_common.contracts.api import RunAudienceAdded, RunAudienceClosed
from trunkline_common.contracts.envelope import Event
from trunkline_common.ids import BUSINESS, RUN, new_id
from trunkline_common.outcomes import Refuse


def pieces(scene: Scene, run_id: str) -> list[Event]:
    contacts = contacts_of(addresses(7))
    return [
        scene.requested(run_id),
        RunAudienceAdded(run_id=run_id, chunk=1, contacts=tuple(contacts[:4])),
        RunAudienceAdded(run_id=run_id, chunk=2, contacts=tuple(contacts[4:])),
        RunAudienceClosed(run_id=run_id, chunks=2, contacts=7),
    ]


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))), ids=str)
async def test_any_order_of_the_pieces_starts_the_same_run(
    scene: Scene, order: tuple[int, ...]
) -> None:
    run_id = new_id(RUN)
    events = pieces(scene, run_id)
    for number in order:
        assert await scene.value("SELECT state FROM runs WHERE run_id = :r", r=run_id) != "running"
        await scene.hear(events[number])
    assert await scene.value("SELECT state FROM runs WHERE run_id = :r", r=run_id) == "running"
    seqs = [row[0] for row in await scene.rows("SELECT seq FROM jobs ORDER BY seq")]
    assert seqs == list(range(1, 8))
    assert await scene.value("SELECT total FROM cursors") == 7
    assert await scene.value("SELECT count(*) FROM outbox WHERE name = 'run.started.v1'") == 1


@pytest.mark.defect("D-55")
async def test_duplicates_are_rejects_with_a_reason(scene: Scene) -> None:
    run_id = new_id(RUN)
    first, second = contacts_of([*addresses(3), addresses(1)[0]]), contacts_of(addresses(4))
    await scene.hear(scene.requested(run_id))
    await scene.hear(RunAudienceAdded(run_id=run_id, chunk=1, contacts=tuple(first)))
    await scene.hear(RunAudienceAdded(run_id=run_id, chunk=2, contacts=tuple(second)))
    seqs = await scene.rows("SELECT seq, address FROM jobs ORDER BY seq")
    assert seqs == list(zip(range(1, 5), addresses(4), strict=True))
    assert await scene.rows("SELECT reason, count(*) FROM rejects GROUP BY 1") == [
        ("duplicate_address", 4)
    ]


async def test_a_repeated_chunk_changes_nothing(scene: Scene) -> None:
    run_id = new_id(RUN)
    for event in pieces(scene, run_id):
        await scene.hear(event)
        await scene.hear(event)
    assert await scene.value("SELECT count(*) FROM jobs") == 7
    assert await scene.value("SELECT count(*) FROM rejects") == 0


async def test_another_business_cannot_add_to_a_run(scene: Scene) -> None:
    run_id = new_id(RUN)
    await scene.hear(scene.requested(run_id))
    foreign = RunAudienceAdded(run_id=run_id, chunk=1, contacts=tuple(contacts_of(addresses(1))))
    with pytest.raises(Refuse):
        await scene.hear(foreign, business_id=new_id(BUSINESS))
    assert await scene.value("SELECT count(*) FROM jobs") == 0
