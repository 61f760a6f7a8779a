"""Claims in hand: an answer about an older token says nothing of a claim that was taken again."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import pytest
from sqlalchemy import text
from tests.integration.outbound.scene import Scene
from tests.integration.outbound.test_claims import claim

from trunkline_common.db import transaction
from trunkline_common.testing import eventually
from trunkline_outbound.held import HeldClaims

_LOCK = text("LOCK TABLE claims IN ACCESS EXCLUSIVE MODE")
_AGAIN = text("UPDATE claims SET token = token + 1")
_WAITS = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'relation'"


@pytest.mark.parametrize("asks", ["renew", "verify"])
async def test_a_claim_that_was_taken_again_meanwhile_is_not_lost(scene: Scene, asks: str) -> None:
    """Lost, it would be left until its lease ends, and what it is sending would be in doubt."""
    first = await claim(scene, await scene.start_run(1), "w1")
    mine = HeldClaims(scene.database, owner="w1", lease=30.0, margin=3.0)
    old = mine.hold(first, asked_at=time.monotonic())

    async def waits() -> bool:
        return await scene.value(_WAITS) == 1

    async with asyncio.TaskGroup() as group, transaction(scene.database) as session:
        await session.execute(_LOCK)
        group.create_task(getattr(mine, asks)())
        await eventually(waits)
        await session.execute(_AGAIN)  # it had expired, and this very worker has it again
        mine.drop(old)
        new = mine.hold(replace(first, token=first.token + 1), asked_at=time.monotonic())
    assert new.is_trusted()


async def test_who_lets_go_of_it_late_lets_go_of_the_old_one(scene: Scene) -> None:
    first = await claim(scene, await scene.start_run(1), "w1")
    mine = HeldClaims(scene.database, owner="w1", lease=30.0, margin=3.0)
    old = mine.hold(first, asked_at=time.monotonic())
    mine.hold(replace(first, token=first.token + 1), asked_at=time.monotonic())
    mine.drop(old)
    assert len(mine) == 1  # renewed on, or its lease would end under it
