"""A run's audience becomes numbered jobs without a gap, in whatever order its pieces arrive."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest
from tests.integration.outbound.scene import Scene, addresses, contacts_of

from trunkline_common.contracts.api import RunAudienceAdded, RunAudienceClosed
from trunkline_common.contracts.envelope import Event
from trunkline_common.db import transaction
from trunkline_common.ids import BUSINESS, RUN, new_id
from trunkline_common.outcomes import Refuse
from trunkline_outbound import runs
from trunkline_outbound.consumer import on_audience_added


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


def chunk(run_id: str, number: int, people: Sequence[str]) -> RunAudienceAdded:
    return RunAudienceAdded(run_id=run_id, chunk=number, contacts=tuple(contacts_of(people)))


async def hear_together(scene: Scene, *events: RunAudienceAdded) -> None:
    """A batch as the consumer applies it."""
    async with transaction(scene.database) as session:
        await on_audience_added(session, [scene.envelope(event) for event in events])


async def test_chunks_that_come_together_are_numbered_in_their_order(scene: Scene) -> None:
    first, second = sorted(new_id(RUN) for _ in range(2))
    people = addresses(6)
    for run_id in (first, second):
        await scene.hear(scene.requested(run_id))
    await hear_together(
        scene,
        *(chunk(first, number, people[2 * number - 2 : 2 * number]) for number in (3, 1, 2, 1)),
        chunk(second, 1, people[:1]),
    )
    jobs = await scene.rows("SELECT seq, address FROM jobs WHERE run_id = :r ORDER BY seq", r=first)
    assert jobs == list(enumerate(people, start=1))
    totals = await scene.rows("SELECT total FROM cursors ORDER BY run_id")
    assert totals == [(6,), (1,)]


async def test_who_is_in_the_run_already_is_refused_alone(scene: Scene) -> None:
    run_id, people = new_id(RUN), addresses(6)
    await scene.hear(scene.requested(run_id))
    await hear_together(scene, chunk(run_id, 1, people[:3]))
    await hear_together(
        scene,
        chunk(run_id, 2, [people[3], people[0], people[4]]),
        chunk(run_id, 3, [people[5], people[4]]),
    )
    jobs = await scene.rows("SELECT seq, address FROM jobs ORDER BY seq")
    assert jobs == list(enumerate(people, start=1))
    rejects = await scene.rows("SELECT chunk, reason FROM rejects ORDER BY chunk")
    assert rejects == [(2, "duplicate_address"), (3, "duplicate_address")]


async def test_one_foreign_chunk_among_others_leaves_nothing(scene: Scene) -> None:
    run_id, people = new_id(RUN), addresses(2)
    await scene.hear(scene.requested(run_id))
    own = scene.envelope(chunk(run_id, 1, people[:1]))
    foreign = scene.envelope(chunk(run_id, 2, people[1:]), business_id=new_id(BUSINESS))
    with pytest.raises(Refuse):
        async with transaction(scene.database) as session:
            await on_audience_added(session, [own, foreign])
    assert await scene.value("SELECT count(*) FROM jobs") == 0
    assert await scene.value("SELECT count(*) FROM audience_chunks") == 0


async def test_what_came_long_before_its_run_becomes_jobs_a_part_at_a_time(scene: Scene) -> None:
    run_id, many = new_id(RUN), runs.FROZEN_AT_ONCE + 1
    people = addresses(many)
    await hear_together(scene, *(chunk(run_id, n, [people[n - 1]]) for n in range(1, many + 1)))
    await scene.hear(RunAudienceClosed(run_id=run_id, chunks=many, contacts=many))
    await scene.hear(scene.requested(run_id))
    state = "SELECT state FROM runs"
    assert await scene.value("SELECT total FROM cursors") == runs.FROZEN_AT_ONCE
    assert await scene.value(state) == "draft"
    await runs.start_due_runs(scene.database)
    jobs = await scene.rows("SELECT seq, address FROM jobs ORDER BY seq")
    assert jobs == list(enumerate(people, start=1))
    assert await scene.value(state) == "running"
    assert await scene.value("SELECT count(contacts) FROM audience_chunks") == 0
