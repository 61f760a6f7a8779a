"""Two replicas of a scheduler on one database: one ticks, and the other when that one is gone."""

from __future__ import annotations

import signal

from sqlalchemy import text
from tests.integration.common.parts import applied
from tests.integration.common.started import Started, started

from trunkline_common.db import Database, transaction
from trunkline_common.testing import eventually

LEASE_SECONDS = 10.0  # half of what it is in earnest
RENEW_SECONDS = LEASE_SECONDS / 5


async def tickers(database: Database) -> list[str]:
    """Process ids in the order of their ticks, each once for as long as it went on."""
    ticks = await applied(database, "run_tick")
    return [pid for at, pid in enumerate(ticks) if at == 0 or ticks[at - 1] != pid]


async def token(database: Database) -> int:
    async with database.sessions() as session:
        row = await session.execute(text("SELECT token FROM leases WHERE name = 'tick'"))
        return int(row.scalar_one())


def pid(service: Started) -> str:
    return str(service.process.pid)


async def test_one_replica_ticks_and_another_when_it_is_killed_or_leaves(
    database: Database, database_url: str
) -> None:
    environment = {
        "SMALL_DATABASE_URL": database_url,
        "SMALL_BROKER_URL": "amqp://nobody:none@127.0.0.1:1/",
        "SMALL_SCHEDULER_LEASE": f"{LEASE_SECONDS:g}",
    }

    async def ticked(count: int, *services: Started) -> bool:
        ticks = await applied(database, "run_tick")
        return len(ticks) >= count and await tickers(database) == [pid(one) for one in services]

    async with started("tick", environment) as first:
        await eventually(lambda: ticked(1, first), 40)
        async with started("tick", environment) as second:
            await eventually(lambda: second.named("scheduler.waits"), 40)
            seen = len(await applied(database, "run_tick"))
            await eventually(lambda: ticked(seen + 10, first))
            first.process.send_signal(signal.SIGKILL)
            await first.ended()
            await eventually(lambda: ticked(seen, first, second), LEASE_SECONDS + RENEW_SECONDS + 1)
            assert await token(database) == 2
            async with started("tick", environment) as third:
                await eventually(lambda: third.named("scheduler.waits"), 40)
                second.process.send_signal(signal.SIGTERM)
                assert await second.ended(5) == 0
                # It gave the lease back: nobody waits for its end.
                await eventually(lambda: ticked(seen, first, second, third), RENEW_SECONDS + 2)


async def test_who_cannot_renew_stops_before_the_lease_ends(
    database: Database, database_url: str
) -> None:
    environment = {
        "SMALL_DATABASE_URL": database_url,
        "SMALL_BROKER_URL": "amqp://nobody:none@127.0.0.1:1/",
        "SMALL_SCHEDULER_LEASE": f"{LEASE_SECONDS:g}",
    }
    async with started("tick", environment) as service:
        await eventually(lambda: service.named("scheduler.leads"), 40)
        async with transaction(database) as session:  # somebody else has it, whatever it believes
            await session.execute(text("UPDATE leases SET owner = 'another'"))
            await session.execute(text("UPDATE leases SET expires_at = 'infinity'"))
        await eventually(lambda: service.named("scheduler.lease_lost"), 2 * RENEW_SECONDS)
        await eventually(lambda: service.named("scheduler.waits"), 2 * RENEW_SECONDS)
        assert service.process.returncode is None
