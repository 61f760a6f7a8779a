"""Bulk handlers: all of a batch in one go, and each alone where that fails."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession
from tests.integration.common.parts import SHORT, applied, write_effect
from tests.integration.common.test_batches import delivery, inbox_size

from trunkline_common.broker.batches import Batches, Bulk, Delivery
from trunkline_common.contracts import Envelope
from trunkline_common.contracts.outbound import RunProgressed
from trunkline_common.db import Database
from trunkline_common.outcomes import TryLater

Envelopes = Sequence[Envelope[RunProgressed]]


def bulk(database: Database, handle: object, *, seconds: float = 20) -> Batches:
    handler = Bulk(handle)  # type: ignore[arg-type]  # each test has its own
    return Batches(SHORT, {RunProgressed: handler}, database, handler_seconds=seconds)


async def test_a_batch_is_handed_over_at_once_without_what_was_seen(database: Database) -> None:
    handed: list[list[str]] = []

    async def keep(session: AsyncSession, envelopes: Envelopes) -> None:
        handed.append([envelope.event.run_id for envelope in envelopes])
        for envelope in envelopes:
            await write_effect(session, envelope)

    first, second = delivery("run_a"), delivery("run_b")
    await bulk(database, keep).apply([first])
    copy = Delivery(second.message, second.envelope)
    again = Delivery(first.message, first.envelope)
    await bulk(database, keep).apply([second, again, copy, delivery("run_c")])
    assert handed == [["run_a"], ["run_b", "run_c"]]
    assert again.duplicate
    for run_id in ("run_a", "run_b", "run_c"):
        assert len(await applied(database, run_id)) == 1


async def test_one_bad_event_fails_alone(database: Database) -> None:
    async def some_fail(session: AsyncSession, envelopes: Envelopes) -> None:
        for envelope in envelopes:
            await write_effect(session, envelope)
            if envelope.event.run_id == "run_bad":
                await session.execute(text("SELECT 1 / 0"))
            if envelope.event.run_id == "run_early":
                raise TryLater("not yet")

    names = ["run_1", "run_bad", "run_2", "run_early", "run_3"]
    batch = {name: delivery(name) for name in names}
    await bulk(database, some_fail).apply(list(batch.values()))
    for name, one in batch.items():
        failed = name in {"run_bad", "run_early"}
        assert (one.error is not None) == failed
        assert len(await applied(database, name)) == (0 if failed else 1)
    assert isinstance(batch["run_early"].error, TryLater)
    assert await inbox_size(database) == 3  # a failed one's row would swallow its retry


async def test_one_that_hangs_costs_nobody_else_an_attempt(database: Database) -> None:
    async def hangs(session: AsyncSession, envelopes: Envelopes) -> None:
        for envelope in envelopes:
            await write_effect(session, envelope)
            if envelope.event.run_id == "run_slow":
                await session.execute(text("SELECT pg_sleep(20)"))

    batch = [delivery("run_quick"), delivery("run_slow"), delivery("run_other")]
    await bulk(database, hangs, seconds=0.5).apply(batch)
    assert [type(one.error) for one in batch] == [type(None), TryLater, type(None)]
    assert await applied(database, "run_slow") == []
