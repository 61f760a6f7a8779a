"""What the database itself refuses, whatever the code does: states in ways that cannot be."""

from __future__ import annotations

import itertools

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from tests.integration.outbound.scene import Scene
from tests.integration.outbound.test_claims import claim, intend
from tests.integration.outbound.test_states import ATTEMPT, JOB, RUN

from trunkline_common.db import transaction

FINAL = {"done", "skipped", "cancelled", "exhausted", "unknown"}
IN_FLIGHT = {"sending", "in_doubt", "accepted"}

_PLACE = """
UPDATE jobs SET state = :state,
       claim_id = CASE WHEN :claimed THEN 1 END,
       due_at = CASE WHEN :due THEN clock_timestamp() END,
       open_attempt = CASE WHEN :attempted THEN 'att_1' END,
       reason = CASE WHEN :explained THEN 'walked' END
"""

TWICE = """
INSERT INTO jobs (run_id, seq, business_id, contact_id, address)
SELECT run_id, 99, business_id, contact_id, address FROM jobs"""


def holds(state: str, *, claimed: bool, due: bool, attempted: bool, explained: bool) -> bool:
    """Whether a job may be so, as the protocol has it."""
    return (
        due == (state == "waiting")
        and (claimed or state != "sending")
        and (not claimed or state in ("queued", "sending"))
        and (attempted or state not in IN_FLIGHT)
        and (explained or state not in FINAL)
    )


async def takes(session: AsyncSession, sql: str, **parameters: object) -> bool:
    """Whether the database lets a statement pass; either way nothing of it stays."""
    savepoint = await session.begin_nested()
    try:
        await session.execute(text(sql), parameters)
    except IntegrityError:
        return False
    finally:
        await savepoint.rollback()
    return True


async def test_a_job_is_only_in_ways_that_the_protocol_knows(scene: Scene) -> None:
    await scene.start_run(1)
    wrong = []
    async with transaction(scene.database) as session:
        for state, flags in itertools.product(JOB, itertools.product((True, False), repeat=4)):
            held = dict(zip(("claimed", "due", "attempted", "explained"), flags, strict=True))
            if await takes(session, _PLACE, state=state, **held) != holds(state, **held):
                wrong.append((state, held))
    assert not wrong


@pytest.mark.parametrize(
    ("table", "states"), [("runs", RUN), ("jobs", JOB), ("attempts", ATTEMPT)], ids=str
)
async def test_there_are_no_other_states(scene: Scene, table: str, states: dict[str, str]) -> None:
    await intend(scene, await claim(scene, await scene.start_run(1), "w1"), "w1")
    names = {*RUN, *JOB, *ATTEMPT, "", "Done", "busy"}
    set_to = f"UPDATE {table} SET state = :state"  # noqa: S608 - one of the three above
    if table == "jobs":  # held so that no other rule speaks
        set_to += ", claim_id = CASE WHEN :state = 'sending' THEN 1 END, reason = 'walked'"
        set_to += ", due_at = CASE WHEN :state = 'waiting' THEN clock_timestamp() END"
    async with transaction(scene.database) as session:
        taken = {name for name in names if await takes(session, set_to, state=name)}
    assert taken == set(states)


async def test_a_job_has_one_open_attempt_and_numbers_one_open_send(scene: Scene) -> None:
    await intend(scene, await claim(scene, await scene.start_run(1), "w1"), "w1")
    again = """
INSERT INTO attempts (attempt_id, business_id, run_id, seq, contact_id, claim_id, channel_id,
                      account, from_number, to_number, state, send_deadline, correlation_id)
SELECT 'att_2', business_id, run_id, seq, contact_id, claim_id, channel_id, account, from_number,
       to_number, :state, send_deadline, correlation_id FROM attempts"""
    between = """
INSERT INTO open_sends (business_id, account, from_number, to_number, attempt_id)
SELECT business_id, account, from_number, to_number, 'att_2' FROM open_sends"""
    async with transaction(scene.database) as session:
        taken = {state for state in ATTEMPT if await takes(session, again, state=state)}
        assert taken == set(ATTEMPT) - {"intent", "in_doubt"}
        assert not await takes(session, between)


@pytest.mark.parametrize(
    "broken",
    [
        "UPDATE cursors SET next_seq = total + 2",
        "UPDATE cursors SET next_seq = 0",
        "UPDATE limits SET in_use = -1",
        "UPDATE limits SET cap = 0",
        "UPDATE claims SET first_seq = last_seq + 1",
        "UPDATE claims SET kind = 'due'",
        "INSERT INTO slots SELECT * FROM slots",
        "INSERT INTO provider_calls SELECT * FROM provider_calls",
        TWICE,
    ],
)
async def test_what_no_statement_may_do(scene: Scene, broken: str) -> None:
    await intend(scene, await claim(scene, await scene.start_run(2), "w1"), "w1")
    await scene.rows(
        "INSERT INTO provider_calls (account, provider_id, attempt_id, business_id)"
        " SELECT account, 'CA1', attempt_id, business_id FROM attempts LIMIT 1 RETURNING 1"
    )
    async with transaction(scene.database) as session:
        assert not await takes(session, broken)
