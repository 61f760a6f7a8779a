"""Contacts added to a run that goes on: jobs without a gap, or nothing at all; never in between."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from typing import Any

import pytest
from tests.integration.outbound.scene import Scene, addresses, contacts_of
from tests.integration.outbound.test_controls import ask, state_of

from trunkline_common.contracts.api import AudienceContact, RunAudienceAdded, RunAudienceClosed
from trunkline_common.contracts.runs import RunContactsAdded
from trunkline_common.ids import BUSINESS, RUN, new_id
from trunkline_common.outcomes import Refuse, TryLater
from trunkline_outbound.claims import next_claim
from trunkline_outbound.runs import complete_finished
from trunkline_outbound.store.claims import Claim, Lease


def piece(
    run_id: str,
    number: int,
    people: Sequence[AudienceContact],
    *,
    pieces: int | None = None,
    control: str = "ctl_1",
) -> RunContactsAdded:
    return RunContactsAdded(
        run_id=run_id, control_id=control, piece=number, contacts=tuple(people), pieces=pieces
    )


def two_pieces(run_id: str) -> list[RunContactsAdded]:
    """Three new numbers, one twice, and one that the run has: the last piece is without any."""
    people = contacts_of(addresses(6)[1:])
    twice = contacts_of(addresses(4)[3:])
    return [
        piece(run_id, 1, people[:3]),
        piece(run_id, 2, [*people[3:], *twice]),
        piece(run_id, 3, [], pieces=3),
    ]


async def ends(scene: Scene) -> list[dict[str, Any]]:
    rows = await scene.rows(
        "SELECT CAST(payload AS jsonb) FROM outbox WHERE name = 'run.addition_ended.v1'"
        " ORDER BY position"
    )
    return [row[0] for row in rows if isinstance(row[0], dict)]


async def finish(scene: Scene, run_id: str) -> None:
    """Every job that there is ends, and the completion is tried."""
    await done(scene, run_id)
    await complete_finished(scene.database)


async def done(scene: Scene, run_id: str) -> None:
    """Every job that there is has ended."""
    await scene.rows(
        "UPDATE jobs SET state = 'done', reason = 'r', claim_id = NULL, due_at = NULL"
        " WHERE run_id = :r RETURNING 1",
        r=run_id,
    )
    carved = "UPDATE cursors SET next_seq = total + 1 WHERE run_id = :r RETURNING 1"
    await scene.rows(carved, r=run_id)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))), ids=str)
async def test_any_order_and_repetition_gives_the_same_jobs(
    scene: Scene, order: tuple[int, ...]
) -> None:
    run_id = await scene.start_run(2)
    events = two_pieces(run_id)
    for place in order:
        await scene.hear(events[place])
        await scene.hear(events[place])
    seqs = await scene.rows("SELECT seq, address FROM jobs ORDER BY seq")
    assert [row[0] for row in seqs] == list(range(1, 7))
    assert sorted(str(row[1]) for row in seqs) == addresses(6)
    assert await scene.value("SELECT total FROM cursors") == 6
    [end] = await ends(scene)
    assert {name: end[name] for name in ("control_id", "added", "rejects", "total", "refused")} == {
        "control_id": "ctl_1", "added": 4, "rejects": 2, "total": 6, "refused": None,
    }  # fmt: skip
    assert await scene.value("SELECT count(*) FROM rejects") == 2
    claim = await next_claim(scene.database, run_id, lease=Lease("w1", 30), wanted=10)
    assert isinstance(claim, Claim)
    assert (claim.first_seq, claim.last_seq) == (1, 6)


async def test_the_run_does_not_complete_before_the_addition_is_whole(scene: Scene) -> None:
    run_id = await scene.start_run(1)
    events = two_pieces(run_id)
    await scene.hear(events[0])
    await finish(scene, run_id)
    assert await state_of(scene, run_id) == "running"
    for event in events[1:]:
        await scene.hear(event)
    await complete_finished(scene.database)
    assert await state_of(scene, run_id) == "running"  # what was added is to be called
    await finish(scene, run_id)
    assert await state_of(scene, run_id) == "completed"


@pytest.mark.parametrize("end", ["cancel", "complete"])
async def test_of_an_addition_and_the_end_one_comes_first(scene: Scene, end: str) -> None:
    """Ten times at once: either the contacts are in and the run goes on, or nobody is added."""
    seen = set()
    for _ in range(10):
        run_id = await scene.start_run(1)
        await done(scene, run_id)
        added = piece(run_id, 1, contacts_of(addresses(3)[1:]), pieces=1, control=new_id("ctl"))
        async with asyncio.TaskGroup() as group:
            group.create_task(scene.hear(added))
            if end == "cancel":
                group.create_task(ask(scene, "cancel", run_id))
            else:
                group.create_task(complete_finished(scene.database))
        said = (await ends(scene))[-1]
        state = await state_of(scene, run_id)
        jobs = await scene.value("SELECT count(*) FROM jobs WHERE run_id = :r", r=run_id)
        assert (said["added"], said["refused"] is None, jobs) in {(2, True, 3), (0, False, 1)}
        if end == "complete":
            assert (state == "completed") == (said["refused"] is not None)
        seen.add(said["refused"] is None)
    assert seen


@pytest.mark.parametrize("when", ["before", "between"])
async def test_what_comes_after_a_cancel_is_refused_with_the_reason(
    scene: Scene, when: str
) -> None:
    run_id = await scene.start_run(1)
    events = two_pieces(run_id)
    if when == "between":
        await scene.hear(events[0])
    await ask(scene, "cancel", run_id)
    for event in events:
        await scene.hear(event)
    [end] = await ends(scene)
    assert end["refused"] == "the run is cancelling"
    assert end["added"] == (3 if when == "between" else 0)
    assert await scene.value("SELECT count(*) FROM jobs") == 1 + end["added"]


async def test_before_the_audience_is_whole_it_counts_for_itself(scene: Scene) -> None:
    """Pieces of an addition are no pieces of the audience: the run starts when that is whole."""
    run_id = new_id(RUN)
    with pytest.raises(TryLater):
        await scene.hear(piece(run_id, 1, contacts_of(addresses(1)), pieces=1))
    await scene.hear(scene.requested(run_id))
    await scene.hear(piece(run_id, 1, contacts_of(addresses(1)), pieces=1))
    assert (await ends(scene))[0]["added"] == 1
    await scene.hear(RunAudienceClosed(run_id=run_id, chunks=1, contacts=1))
    assert await state_of(scene, run_id) == "draft"
    people = tuple(contacts_of(addresses(2)[1:]))
    await scene.hear(RunAudienceAdded(run_id=run_id, chunk=1, contacts=people))
    assert await state_of(scene, run_id) == "running"
    assert await scene.value("SELECT total FROM cursors") == 2


async def test_another_business_adds_nobody(scene: Scene) -> None:
    run_id = await scene.start_run(1)
    added = piece(run_id, 1, contacts_of(addresses(3)[1:]), pieces=1)
    with pytest.raises(Refuse):
        await scene.hear(added, business_id=new_id(BUSINESS))
    assert await scene.value("SELECT count(*) FROM jobs") == 1
    assert await scene.value("SELECT count(*) FROM additions") == 0
