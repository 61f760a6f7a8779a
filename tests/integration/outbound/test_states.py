"""The protocol's tables of states (section 3), walked pair by pair through the code that moves."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncSession
from tests.integration.outbound.scene import Scene
from tests.integration.outbound.test_claims import claim, intend

from trunkline_common.db import transaction
from trunkline_outbound.store import attempts, claims, jobs, runs
from trunkline_outbound.store.claims import Claim, Lease
from trunkline_outbound.store.jobs import Move

_FINAL = "done skipped cancelled exhausted unknown"
# As the protocol has them, and not as the code does: a wrong table in the code must fail here.
RUN = {
    "draft": "ready cancelling",  # a cancel goes through `cancelling`: its jobs close in chunks
    "ready": "running cancelling failed",
    "running": "paused cancelling completed",
    "paused": "running cancelling completed",
    "cancelling": "cancelled failed",
    "cancelled": "",
    "completed": "",
    "failed": "",
}
JOB = {
    "queued": "sending waiting skipped cancelled accepted",  # accepted: a hand-over to messaging
    "sending": f"accepted waiting in_doubt {_FINAL}",
    "waiting": "queued cancelled accepted",  # accepted: the late proof of an absent attempt
    "in_doubt": f"accepted waiting {_FINAL}",
    "accepted": f"waiting accepted {_FINAL}",  # accepted: "sent" after "accepted", of a message
    "unknown": "done",
    "done": "done",  # another outcome of the same call or message
    "skipped": "",
    "cancelled": "",
    "exhausted": "",
}
ATTEMPT = {
    "intent": "not_sent rejected accepted in_doubt",
    "in_doubt": "accepted rejected not_sent absent unknown",
    "absent": "accepted",
    "unknown": "accepted",
    "accepted": "",
    "not_sent": "",
    "rejected": "",
}


def pairs(table: Mapping[str, str]) -> set[tuple[str, str]]:
    return {(one, two) for one, later in table.items() for two in later.split()}


@pytest.mark.trap("pause overwritten")
async def test_runs_move_as_the_protocol_says_and_in_no_other_way(scene: Scene) -> None:
    run_id = await scene.start_run(1)
    moved = set()
    for one, two in itertools.product(RUN, RUN):
        await scene.rows("UPDATE runs SET state = :one RETURNING 1", one=one)
        async with transaction(scene.database) as session:
            await runs.lock_cursor(session, run_id)
            await runs.set_state(session, run_id, two)
        if one != two and await scene.value("SELECT state FROM runs") == two:
            moved.add((one, two))
    assert moved == pairs(RUN)


Way = Callable[[AsyncSession, Claim], Awaitable[None]]


def _move_to(state: str) -> Way:
    async def move(session: AsyncSession, taken: Claim) -> None:
        due_at = datetime.now(UTC) if state == "waiting" else None
        moves = [Move(taken.run_id, 1, "att_1", state, "walked", due_at=due_at)]
        await jobs.move(session, moves)

    return move


async def _mark_sending(session: AsyncSession, taken: Claim) -> None:
    await jobs.mark_sending(session, taken, {1: "att_1"})


async def _hand_over(session: AsyncSession, taken: Claim) -> None:
    await jobs.mark_sending(session, taken, {1: "att_1"}, state="accepted")


async def _defer(session: AsyncSession, taken: Claim) -> None:
    at = datetime.now(UTC) + timedelta(minutes=1)
    await jobs.defer(session, taken.run_id, [(1, at, "walked")])


async def _defer_by(session: AsyncSession, taken: Claim) -> None:
    await jobs.defer_by(session, taken.run_id, [1], "walked", 60)


async def _skip(session: AsyncSession, taken: Claim) -> None:
    await jobs.skip(session, taken.run_id, [(1, "walked")])


async def _doubt(session: AsyncSession, taken: Claim) -> None:
    await jobs.doubt_sending(session, taken)


async def _claim_due(session: AsyncSession, taken: Claim) -> None:
    lease = Lease("w2", 30)
    await claims.insert_due(session, taken.run_id, taken.business_id, wanted=9, lease=lease)


# Every function of the store that moves a job. `move` goes where the table lets it, but it neither
# sends nor queues.
WAYS: dict[str, tuple[Way, ...]] = {
    "queued": (_claim_due,),
    "sending": (_mark_sending,),
    **{state: (_move_to(state),) for state in JOB if state not in ("queued", "sending")},
}
WAYS["accepted"] += (_hand_over,)
WAYS["waiting"] += (_defer, _defer_by)
WAYS["skipped"] += (_skip,)
WAYS["in_doubt"] += (_doubt,)

_PLACE = """
UPDATE jobs SET state = :state, open_attempt = 'att_1', reason = 'placed', attempts = 1,
       claim_id = CASE WHEN :state = 'sending' THEN CAST(:claim_id AS bigint) END,
       due_at = CASE WHEN :state = 'waiting' THEN clock_timestamp() - interval '1 s' END
RETURNING 1
"""


async def _moves(scene: Scene, taken: Claim, one: str, two: str) -> bool:
    """Whether any way to `two` moves a job that is `one`."""
    moved = False
    for way in WAYS[two]:
        await scene.rows(_PLACE, state=one, claim_id=taken.claim_id)
        async with transaction(scene.database) as session:
            await way(session, taken)
        state, reason, held = (
            await scene.rows("SELECT state, reason, claim_id IS NOT NULL FROM jobs")
        )[0]
        assert state in (one, two)
        moved |= state == two and (one != two or reason == "walked")
        assert state == one or bool(held) == (two in ("queued", "sending"))
    return moved


async def test_jobs_move_as_the_protocol_says_and_in_no_other_way(scene: Scene) -> None:
    taken = await claim(scene, await scene.start_run(1), "w1")
    every = list(itertools.product(JOB, JOB))
    assert {pair for pair in every if await _moves(scene, taken, *pair)} == pairs(JOB)


async def test_attempts_move_as_the_protocol_says_and_in_no_other_way(scene: Scene) -> None:
    run_id = await scene.start_run(1)
    intents = await intend(scene, await claim(scene, run_id, "w1"), "w1")
    attempt_id = intents.granted[0].attempt_id
    async with transaction(scene.database) as session:
        known = await attempts.get_attempts(session, [attempt_id], run_ids=[run_id])
    moved = set()
    for one, two in itertools.product(ATTEMPT, ATTEMPT):
        await scene.rows("UPDATE attempts SET state = :one RETURNING 1", one=one)
        async with transaction(scene.database) as session:
            if two == "accepted":
                await attempts.accept(session, [(known[attempt_id], "CA1", "walk")])
            else:
                result = (attempt_id, two, None, "")
                await attempts.settle(session, [result], run_ids=[run_id], said_by="walk")
        if one != two and await scene.value("SELECT state FROM attempts") == two:
            moved.add((one, two))
    assert moved == pairs(ATTEMPT)


@pytest.mark.parametrize("state", ["accepted", "done"])
async def test_a_decision_is_of_the_open_attempt_only(scene: Scene, state: str) -> None:
    taken = await claim(scene, await scene.start_run(1), "w1")
    await scene.rows(_PLACE, state="in_doubt", claim_id=taken.claim_id)
    async with transaction(scene.database) as session:
        assert not await jobs.move(session, [Move(taken.run_id, 1, "att_2", state, "walked")])
