"""The job on a peer: the queue is filled, a worker is started, and the last outcome awaited."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import asyncpg
from tests.benchmarks.bare import lay_out
from tests.benchmarks.figures import Figures
from tests.benchmarks.peers.runners import Peer, environment_of, run, worker
from tests.benchmarks.processes import seconds_of, servers_of, tree
from tests.benchmarks.stage import Stage, loop_of

from trunkline_common.testing.facts import eventually

LOGS = Path(".local/benchmarks/logs")
_SECONDS = 600.0
_BEGUN = "SELECT EXISTS (SELECT FROM bench_jobs WHERE done_at IS NOT NULL)"
_OPEN = "SELECT EXISTS (SELECT FROM bench_jobs WHERE state = 'queued')"
_TOOK = "SELECT extract(epoch FROM max(done_at) - min(done_at)) FROM bench_jobs"


def prepare(peer: Peer, stage: Stage, environment: dict[str, str], jobs: int) -> None:
    """A fresh table, and a queue with a message for each of its rows."""
    with loop_of(stage) as (runner, connection):
        runner.run(lay_out(connection, jobs))
        installed = runner.run(_installed(connection, peer))
    if peer.prepare and not installed:
        run(peer, peer.prepare, environment)
    run(peer, (peer.module, *peer.fill), environment)


async def _installed(connection: asyncpg.Connection, peer: Peer) -> bool:
    return bool(await connection.fetchval("SELECT to_regclass($1) IS NOT NULL", peer.table))


def measure(peer: Peer, stage: Stage, provider: str, *, in_flight: int, jobs: int) -> Figures:
    """One repetition: from the first outcome in the table to the last one."""
    environment = environment_of(stage, provider, in_flight, jobs)
    prepare(peer, stage, environment, jobs)
    with (
        worker(peer, environment, LOGS / f"{peer.module}.log") as pid,
        loop_of(stage) as (runner, connection),
    ):
        return runner.run(_watched(connection, stage, pid, jobs))


async def _watched(connection: Any, stage: Stage, pid: int, jobs: int) -> Figures:
    servers = await servers_of(stage, connection)
    roots = {name: (root,) for name, root in servers.items()}
    await eventually(asked(connection, _BEGUN), within=30, what="the first outcome")
    before, others = tree(pid), seconds_of(roots)
    await eventually(over(connection), within=_SECONDS, what="the last outcome")
    after = tree(pid)
    return Figures(
        jobs=jobs,
        seconds=float(await connection.fetchval(_TOOK)),
        cpu_seconds=after.cpu_seconds - before.cpu_seconds,
        peak_mib=after.peak_mib,
        others={name: s - others[name] for name, s in seconds_of(roots).items()},
    )


def asked(connection: Any, sql: str) -> Callable[[], Coroutine[Any, Any, bool]]:
    """A fact: what this query says."""

    async def fact() -> bool:
        return bool(await connection.fetchval(sql))

    return fact


def over(connection: Any) -> Callable[[], Coroutine[Any, Any, bool]]:
    """A fact: no contact is without an outcome."""

    async def fact() -> bool:
        return not await connection.fetchval(_OPEN)

    return fact
