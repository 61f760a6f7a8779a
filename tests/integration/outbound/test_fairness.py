"""One business with a million jobs delays another's ten by no more than twice its wait alone.

Asserted by the order in which the provider got the requests: a clock would measure the machine.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from tests.integration.outbound.scene import FakeVoice, Scene
from tests.integration.outbound.test_dispatch import running, until_states

from trunkline_common.db import Database
from trunkline_common.testing import eventually
from trunkline_outbound.folding import fold_calls

TEN = 10


@dataclass
class Pair:
    """A large business and a small one, each with an account, at one provider."""

    large: Scene
    small: Scene
    voice: FakeVoice = field(default_factory=FakeVoice)

    def got(self, scene: Scene) -> list[int]:
        """Places of a business's requests among all that the provider took, from 0."""
        return [n for n, order in enumerate(self.voice.accepted) if order.account == scene.account]


async def pair_of(database: Database, **large: object) -> Pair:
    pair = Pair(
        Scene(database, account="AC" + "a" * 32, **large),  # type: ignore[arg-type]  # by name
        Scene(database, account="AC" + "b" * 32),
    )
    await pair.large.open_channel()
    await pair.small.open_channel()
    return pair


async def test_a_slow_run_that_came_first_keeps_nobody_waiting(outbound_database: Database) -> None:
    pair = await pair_of(outbound_database, per_second=1.0)
    await pair.large.start_run(1_000)
    async with running(pair.large.dispatcher(pair.voice)):
        await eventually(lambda: pair.got(pair.large))
        before = len(pair.voice.accepted)
        run_id = await pair.small.start_run(TEN)
        await until_states(pair.small, run_id, {"accepted": TEN})
        assert pair.got(pair.small)[-1] < before + 2 * TEN


async def test_many_slow_runs_that_came_first_keep_nobody_waiting(
    outbound_database: Database,
) -> None:
    pair = await pair_of(outbound_database, per_second=2.0)
    for _ in range(8):
        await pair.large.start_run(100)
    async with running(pair.large.dispatcher(pair.voice)):
        await eventually(lambda: pair.got(pair.large))
        before = len(pair.voice.accepted)
        run_id = await pair.small.start_run(TEN)
        await until_states(pair.small, run_id, {"accepted": TEN})
        assert pair.got(pair.small)[-1] < before + 2 * TEN


async def test_a_fast_run_that_has_every_place_makes_way(outbound_database: Database) -> None:
    pair = await pair_of(outbound_database)
    pair.voice.gate = asyncio.Event()
    await pair.large.start_run(2_000)

    async def has_every_place() -> bool:
        held = "SELECT count(*) FROM claims WHERE owner IS NOT NULL"
        return await pair.large.value(held) == 4

    worker = pair.large.dispatcher(pair.voice, concurrency=20, micro_batch=5, claim_size=200)
    async with running(worker):
        await eventually(has_every_place)
        run_id = await pair.small.start_run(TEN)
        pair.voice.gate.set()
        await until_states(pair.small, run_id, {"accepted": TEN})
    # 20 were on their way, and some went while the claim was taken: far from 4 claims of 200.
    assert pair.got(pair.small)[-1] < 200


async def test_an_account_at_its_cap_holds_no_claim_and_goes_on_with_the_freed_slot(
    outbound_database: Database,
) -> None:
    cap = 3
    pair = await pair_of(outbound_database, concurrent=cap)
    await pair.large.start_run(1_000)

    async def holds_none() -> bool:
        held = "SELECT count(*) FROM claims WHERE owner IS NOT NULL AND closed_at IS NULL"
        return len(pair.got(pair.large)) == cap and await pair.large.value(held) == 0

    async with running(pair.large.dispatcher(pair.voice)):
        await eventually(holds_none)
        run_id = await pair.small.start_run(TEN)
        await until_states(pair.small, run_id, {"accepted": TEN})
        assert len(pair.got(pair.large)) == cap
        ours = "SELECT attempt_id, provider_id FROM calls WHERE account = :account LIMIT 1"
        attempt_id, provider_id = (await pair.large.rows(ours, account=pair.large.account))[0]
        await pair.large.report(str(attempt_id), str(provider_id), "completed", duration=7)
        assert await fold_calls(outbound_database, batch=10) == 1
        await eventually(lambda: len(pair.got(pair.large)) == cap + 1)
