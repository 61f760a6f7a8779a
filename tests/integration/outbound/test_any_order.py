"""What is said of a call, permuted, repeated, early and after the end: one row, both ways."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import uuid4

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.integration.outbound.scene import Scene
from tests.integration.outbound.test_claims import claim, intend
from tests.integration.outbound.test_legs import report_inbound

from trunkline_common.db import Database
from trunkline_outbound.domain.classification import Result
from trunkline_outbound.folding import fold_calls
from trunkline_outbound.legs import fold_legs
from trunkline_outbound.records import Recorded, record

WAY = ("initiated", "ringing", "in-progress", "completed")
MORE = {"completed": {"duration": 12, "answered_by": "human"}}

real = settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    database=None,
)


@dataclass(frozen=True)
class Telling:
    """In which order it is said, before which of it the fold looks, and where the answer comes."""

    words: tuple[str, ...]
    folds: frozenset[int]
    answer_at: int


@st.composite
def tellings(draw: st.DrawFn) -> Telling:
    again = draw(st.lists(st.sampled_from(WAY), max_size=4))
    words = tuple(draw(st.permutations([*WAY, *again])))
    folds = draw(st.frozensets(st.integers(0, len(words))))
    return Telling(words, folds, draw(st.integers(0, len(words))))


@real
@given(telling=tellings())
async def test_a_call_of_a_run_has_one_row_however_it_is_told(
    outbound_database: Database, telling: Telling
) -> None:
    scene = Scene(outbound_database)
    await scene.open_channel()
    run_id = await scene.start_run(1, max_attempts=3)
    intents = await intend(scene, await claim(scene, run_id, "w1"), "w1")
    attempt_id, sid = intents.granted[0].attempt_id, f"CA{uuid4().hex}"
    for at, status in enumerate((*telling.words, None)):
        if at == telling.answer_at:
            accepted = Recorded(attempt_id, run_id, Result("accepted", provider_id=sid))
            await record(scene.database, [accepted])
        if status is not None:
            number = WAY.index(status)
            more = MORE.get(status, {})
            await scene.report(attempt_id, sid, status, sequence_number=number, **more)
        if at in telling.folds or status is None:
            await fold_calls(scene.database, batch=100)
    rows = await scene.rows(
        "SELECT calls.status, answered, duration, answered_by, jobs.state, jobs.outcome,"
        " (SELECT count(*) FROM slots WHERE slots.run_id = :r)"
        " FROM calls JOIN jobs ON jobs.run_id = calls.run_id WHERE calls.run_id = :r",
        r=run_id,
    )
    assert rows == [("completed", True, 12, "human", "done", "answered", 0)]
    said = await scene.rows(
        "SELECT name, count(*) FROM outbox WHERE business_id = :b"
        " AND name IN ('call.dialled.v1', 'call.answered.v1', 'call.ended.v1') GROUP BY 1",
        b=scene.business_id,
    )
    assert [count for _, count in said] == [1, 1, 1]


@real
@given(telling=tellings())
async def test_a_call_on_the_way_in_has_one_row_however_it_is_told(
    outbound_database: Database, telling: Telling
) -> None:
    scene, sid = Scene(outbound_database), f"CA{uuid4().hex}"
    for at, status in enumerate((*telling.words, None)):
        if status is not None:
            more = MORE.get(status, {})
            await report_inbound(scene, sid, status, sequence_number=WAY.index(status), **more)
        if at in telling.folds or status is None:
            await fold_legs(scene.database, batch=100)
    rows = await scene.rows(
        "SELECT status, answered, duration, answered_by, ended_at IS NULL, from_number"
        " FROM legs WHERE business_id = :b",
        b=scene.business_id,
    )
    assert rows == [("completed", True, 12, "human", False, "+12025550177")]
    said = await scene.rows(
        "SELECT name, max(sequence) FROM outbox WHERE business_id = :b GROUP BY 1 ORDER BY 1",
        b=scene.business_id,
    )
    version = await scene.value(
        "SELECT version FROM legs WHERE business_id = :b", b=scene.business_id
    )
    assert [name for name, _ in said] == [
        "call.leg_answered.v1",
        "call.leg_ended.v1",
        "call.leg_ringing.v1",
    ]
    assert said[1][1] == version
