"""The dispatch loop on a real database: every contact once, whatever the provider answers."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tests.integration.outbound.scene import SEALER, FakeVoice, Scene, addresses

from trunkline_common.loops import Stop
from trunkline_common.sealing import Sealer
from trunkline_common.testing import eventually
from trunkline_outbound import runs
from trunkline_outbound.dispatch import Dispatcher
from trunkline_outbound.domain.classification import Result
from trunkline_outbound.folding import fold_calls

STRANGER = Sealer({"k2": b"x" * 32}, "k2")


@asynccontextmanager
async def running(*dispatchers: Dispatcher) -> AsyncIterator[Stop]:
    stop = Stop()
    async with asyncio.TaskGroup() as group:
        for dispatcher in dispatchers:
            group.create_task(dispatcher.run(stop))
        yield stop
        stop.set()


async def until_states(scene: Scene, run_id: str, expected: dict[str, int]) -> None:
    async def reached() -> bool:
        return await scene.states(run_id) == expected

    await eventually(reached, within=20)


async def test_two_workers_share_a_run_and_call_each_contact_once(scene: Scene) -> None:
    run_id = await scene.start_run(600)
    voice = FakeVoice()
    workers = [scene.dispatcher(voice, claim_size=50, claims_at_once=2) for _ in range(2)]
    async with running(*workers):
        await until_states(scene, run_id, {"accepted": 600})
    assert Counter(voice.dialled) == Counter(addresses(600))
    owners = await scene.value("SELECT count(*) FROM claims WHERE closed_at IS NOT NULL")
    assert owners == 12
    assert await scene.value("SELECT count(*) FROM open_sends") == 0
    assert await scene.value("SELECT count(*) FROM provider_calls") == 600


async def test_a_run_completes_when_every_call_has_ended(scene: Scene) -> None:
    run_id = await scene.start_run(40)
    voice = FakeVoice()
    async with running(scene.dispatcher(voice)):
        await until_states(scene, run_id, {"accepted": 40})
    assert await runs.complete_finished(scene.database) == 0
    calls = await scene.rows("SELECT attempt_id, provider_id FROM calls")
    for number, (attempt_id, provider_id) in enumerate(calls):
        status = "busy" if number % 4 == 0 else "completed"
        await scene.report(str(attempt_id), str(provider_id), status, duration=7)
    assert await fold_calls(scene.database, batch=500) == 40
    assert await runs.complete_finished(scene.database) == 1
    assert await scene.states(run_id) == {"done": 40}
    outcomes = await scene.rows("SELECT outcome, count(*) FROM jobs GROUP BY 1 ORDER BY 1")
    assert outcomes == [("answered", 30), ("busy", 10)]
    assert await scene.value("SELECT in_use FROM limits WHERE kind = 'account'") == 0
    facts: dict[object, object] = dict(
        await scene.rows("SELECT name, count(*) FROM outbox GROUP BY 1")  # type: ignore[arg-type]  # pairs
    )
    assert facts["call.dialled.v1"] == facts["call.ended.v1"] == facts["job.ended.v1"] == 40
    assert facts["run.completed.v1"] == 1


@pytest.mark.trap("slot over a restart")
@pytest.mark.parametrize(
    ("result", "job", "attempt", "slots"),
    [
        (Result("rejected", code="21211", reason="bad number"), "done", "rejected", 0),
        (Result("later", code="20429", retry_after=60), "waiting", "rejected", 0),
        (Result("not_sent", reason="connection refused"), "waiting", "not_sent", 0),
        (Result("in_doubt", reason="time-out"), "in_doubt", "in_doubt", 1),
    ],
    ids=lambda value: value.kind if isinstance(value, Result) else None,
)
async def test_what_an_answer_makes_of_job_attempt_and_slot(
    scene: Scene, result: Result, job: str, attempt: str, slots: int
) -> None:
    run_id = await scene.start_run(1)
    async with running(scene.dispatcher(FakeVoice(answer=lambda _order: result))):
        await until_states(scene, run_id, {job: 1})
    assert await scene.rows("SELECT state FROM attempts") == [(attempt,)]
    assert await scene.value("SELECT count(*) FROM slots") == slots
    assert await scene.value("SELECT in_use FROM limits WHERE kind = 'account'") == slots
    assert await scene.value("SELECT count(*) FROM open_sends") == slots


def broken(_order: object) -> Result:
    raise RuntimeError("after the last byte")


@pytest.mark.parametrize(
    ("voice", "sealer", "job", "why"),
    [
        (FakeVoice(), STRANGER, "waiting", ("rejected", "credentials_unreadable")),
        (FakeVoice(breaks=ValueError("url")), SEALER, "waiting", ("not_sent", "sender_failed")),
        (FakeVoice(answer=broken), SEALER, "in_doubt", ("in_doubt", "sender_failed")),
    ],
    ids=["no_key", "raised_before_the_last_byte", "raised_after_it"],
)
async def test_only_what_failed_after_the_last_byte_is_in_doubt(
    scene: Scene, voice: FakeVoice, sealer: Sealer, job: str, why: tuple[str, str]
) -> None:
    run_id = await scene.start_run(2)
    scene.sealer = sealer
    async with running(scene.dispatcher(voice)):
        await until_states(scene, run_id, {job: 2})
    assert await scene.rows("SELECT DISTINCT state, reason FROM attempts") == [why]


@pytest.mark.trap("rate limit as failure")
async def test_a_limit_means_later_and_the_contact_is_called_then(scene: Scene) -> None:
    run_id = await scene.start_run(5)
    voice = FakeVoice()
    answers = iter([Result("later", code="20429", retry_after=0.05)] * 3)
    voice.answer = lambda _order: next(answers, Result("accepted"))
    async with running(scene.dispatcher(voice)):
        await until_states(scene, run_id, {"accepted": 5})
    assert Counter(voice.dialled) == Counter(addresses(5))
    assert voice.asked == 8


async def test_a_worker_that_sleeps_through_its_lease_sends_nothing_more(scene: Scene) -> None:
    run_id = await scene.start_run(6)
    stalled = FakeVoice(gate=asyncio.Event())
    fresh = FakeVoice()
    asleep = scene.dispatcher(stalled, lease=0.8, margin=0.3, renew_every=60)
    async with running(asleep):
        await until_states(scene, run_id, {"sending": 6})
        async with running(scene.dispatcher(fresh)):
            await until_states(scene, run_id, {"in_doubt": 6})
        assert stalled.gate is not None
        stalled.gate.set()  # the first worker wakes up, long after its lease
        await until_states(scene, run_id, {"waiting": 6})
    assert (stalled.accepted, fresh.accepted) == ([], [])
    assert await scene.rows("SELECT DISTINCT state FROM attempts") == [("not_sent",)]


async def test_stopping_leaves_nothing_in_doubt_and_the_rest_to_others(scene: Scene) -> None:
    run_id = await scene.start_run(400)
    voice = FakeVoice()
    first = scene.dispatcher(voice, concurrency=5, micro_batch=5, claim_size=100)

    async def some_sent() -> bool:
        return len(voice.accepted) >= 20

    async with running(first):
        await eventually(some_sent, within=20)
    states = await scene.states(run_id)
    assert set(states) <= {"queued", "accepted"}
    assert (
        await scene.value(
            "SELECT count(*) FROM claims WHERE closed_at IS NULL AND owner IS NOT NULL"
        )
        == 0
    )
    async with running(scene.dispatcher(voice)):
        await until_states(scene, run_id, {"accepted": 400})
    assert Counter(voice.dialled) == Counter(addresses(400))
