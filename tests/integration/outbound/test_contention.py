"""Whoever loses a deadlock begins anew: a claim is not given up because two met at their locks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest
from prometheus_client import REGISTRY
from tests.integration.outbound.scene import FakeVoice, Scene, addresses
from tests.integration.outbound.test_dispatch import until_states

from trunkline_common.db import transaction
from trunkline_common.loops import Stop
from trunkline_common.testing import eventually
from trunkline_common.testing.plugin import Cloned
from trunkline_outbound.claims import next_claim
from trunkline_outbound.store import jobs
from trunkline_outbound.store.claims import Claim, Lease


def retries(what: str) -> float:
    name = "trunkline_transactions_retried_total"
    return REGISTRY.get_sample_value(name, {"what": what}) or 0.0


@pytest.fixture
async def rival(cloned_database: Cloned) -> AsyncIterator[asyncpg.Connection]:
    """A session that never is the one to be sacrificed: it does not look for deadlocks."""
    connection = await asyncpg.connect(cloned_database.superuser_url, timeout=10)
    await connection.execute("SET search_path = outbound; SET deadlock_timeout = '60s'")
    yield connection
    await connection.close(timeout=10)


async def lock(rival: asyncpg.Connection, seq: int) -> None:
    await rival.execute("SELECT 1 FROM jobs WHERE seq = $1 FOR UPDATE", seq)


async def somebody_waits(rival: asyncpg.Connection) -> bool:
    """For the rival itself: other workers' tests lock each other out as well."""
    query = (
        "SELECT EXISTS (SELECT FROM pg_locks"
        " WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid)))"
    )
    return bool(await rival.fetchval(query))


async def doubt(scene: Scene, claim: Claim) -> list[int]:
    async with transaction(scene.database) as session:
        return [seq for seq, _ in await jobs.doubt_sending(session, claim)]


@asynccontextmanager
async def crossing(rival: asyncpg.Connection) -> AsyncIterator[None]:
    """Hold job 2 until somebody who has job 1 waits for it, then ask for job 1."""

    async with rival.transaction():
        await lock(rival, 2)
        yield
        await eventually(lambda: somebody_waits(rival))
        await lock(rival, 1)


async def test_a_deadlocked_intent_is_retried_whole_and_counted(
    scene: Scene, rival: asyncpg.Connection
) -> None:
    before = retries("intents")
    run_id = await scene.start_run(3)
    voice = FakeVoice()
    async with asyncio.TaskGroup() as group:
        stop = Stop()
        async with crossing(rival):
            group.create_task(scene.dispatcher(voice, lease=600).run(stop))
        await until_states(scene, run_id, {"accepted": 3})
        stop.set()
    assert sorted(voice.dialled) == addresses(3)
    assert retries("intents") == before + 1
    assert await scene.value("SELECT max(token) FROM claims") == 1  # nobody had to take it over


async def test_a_take_over_locks_jobs_in_the_order_that_all_keep_to(
    scene: Scene, rival: asyncpg.Connection
) -> None:
    run_id = await scene.start_run(3)
    taken = await next_claim(scene.database, run_id, lease=Lease("w1", 30), wanted=3)
    assert isinstance(taken, Claim)
    async with transaction(scene.database) as session:
        # written backwards, so that the table holds the last job first
        for seq in (3, 2, 1):
            await jobs.mark_sending(session, taken, {seq: f"att_{seq}"})
    async with asyncio.TaskGroup() as group, rival.transaction():
        await lock(rival, 1)
        doubting = group.create_task(doubt(scene, taken))
        await eventually(lambda: somebody_waits(rival))
        # free: who waits for the first has none of the later ones
        await rival.execute("SELECT 1 FROM jobs WHERE seq = 3 FOR UPDATE NOWAIT")
    assert sorted(doubting.result()) == [1, 2, 3]
