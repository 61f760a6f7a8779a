"""What benchmarks stand on: real servers that keep what they commit, and a run of many jobs."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

import asyncpg

from trunkline_common.db.roles import app_role
from trunkline_common.ids import BUSINESS, CHANNEL, RUN, account_scope, new_id
from trunkline_common.sealing import Sealer
from trunkline_common.testing.brokers import Broker, virtual_host
from trunkline_common.testing.databases import cloned
from trunkline_outbound.runs import WORK

ACCOUNT: Final = "AC" + "0" * 32
SENDER: Final = "+15005550006"
KEY: Final = b"k" * 32
TOKEN: Final = "secret"  # of the account
_SECONDS: Final = 300.0
_SERVERS: Final = tuple(
    f"TRUNKLINE_BENCH_{what}_URL" for what in ("POSTGRES", "AMQP", "MANAGEMENT")
)

_BUSINESS = """
INSERT INTO outbound.businesses (business_id, country, time_zone) VALUES ($1, 'US', 'UTC')
"""
_CHANNEL = """
INSERT INTO outbound.channels (channel_id, business_id, kind, version, account, senders, key_id,
                               sealed, per_second, concurrent, enabled)
VALUES ($1, $2, 'voice', 1, $3, ARRAY[$4], $5, $6, 1000000, 1000000, true)
"""
# Rows there must be, since every intent takes and gives back; what they allow is out of reach.
_LIMIT = "INSERT INTO outbound.limits (kind, id, cap) VALUES ('account', $1, 1000000000)"
_PACE = "INSERT INTO outbound.pace (sender, per_second) VALUES ($1, 1000000)"
_RUN = """
INSERT INTO outbound.runs (run_id, business_id, display_name, channel, channel_id, content, policy,
                           state, correlation_id)
VALUES ($1, $2, 'benchmark', 'voice', $3, '{"script": "hello"}', '{}', 'ready', 'benchmark')
"""
_CURSOR = "INSERT INTO outbound.cursors (run_id, business_id, total) VALUES ($1, $2, $3)"
_JOBS = """
INSERT INTO outbound.jobs (run_id, seq, business_id, contact_id, address)
SELECT $1, n, $2, 'con_' || lpad(n::text, 26, '0'), '+1202555' || lpad(n::text, 8, '0')
  FROM generate_series(1, $3::bigint) AS n
"""
_START = """
UPDATE outbound.runs SET state = 'running', started_at = clock_timestamp() WHERE run_id = $1
"""


def give_up(line: str) -> NoReturn:
    """End with one line that says what is missing."""
    sys.stderr.write(f"benchmarks: {line}\n")
    raise SystemExit(2)


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process has used since it began."""

    cpu_seconds: float
    peak_mib: float
    resident_mib: float


def usage(pid: int | str) -> Usage:
    """Of a process that is alive; the kernel's own figures."""
    there = Path("/proc") / str(pid)
    ticks = there.joinpath("stat").read_text().rpartition(")")[2].split()[11:13]
    status = dict(line.split(":", 1) for line in there.joinpath("status").read_text().splitlines())
    cpu = sum(int(tick) for tick in ticks) / os.sysconf("SC_CLK_TCK")
    peak, resident = (int(status[name].split()[0]) / 1024 for name in ("VmHWM", "VmRSS"))
    return Usage(cpu, peak, resident)


@dataclass(frozen=True, slots=True)
class Stage:
    """A database of its own and a virtual host of its own, for one benchmark."""

    superuser_url: str
    urls: Mapping[str, str]
    broker: Broker


@contextmanager
def servers() -> Iterator[Stage]:
    """The private servers that the environment names, or the end with a line that says why not."""
    missing = [name for name in _SERVERS if not os.environ.get(name)]
    if missing:
        give_up(f"{', '.join(missing)} not set: `make bench` starts the servers and sets them")
    postgres, amqp, management = (os.environ[name] for name in _SERVERS)
    try:
        durable = asyncio.run(_durable(postgres))
    except OSError as error:
        give_up(f"PostgreSQL does not answer: {error}")
    if not durable:
        give_up("fsync or synchronous_commit is off there: what it commits costs nothing")
    label = f"bench_{os.getpid()}"
    with cloned(postgres, label) as (url, urls), virtual_host(amqp, management, label) as broker:
        yield Stage(url, urls, broker)


async def _durable(url: str) -> bool:
    connection = await asyncpg.connect(url, timeout=10)
    try:
        shown = [await connection.fetchval(f"SHOW {n}") for n in ("fsync", "synchronous_commit")]
    finally:
        await connection.close()
    return shown == ["on", "on"]


@contextmanager
def loop_of(stage: Stage) -> Iterator[tuple[asyncio.Runner, Any]]:
    """A loop with a superuser's connection, for whoever does the rest in processes."""
    with asyncio.Runner() as runner:
        connection = runner.run(
            asyncpg.connect(stage.superuser_url, timeout=10, command_timeout=_SECONDS)
        )
        try:
            yield runner, connection
        finally:
            runner.run(connection.close())


async def add_run(connection: Any, jobs: int) -> str:
    """A business with an account without any limit to speak of, and its run, ready to start."""
    business_id, channel_id, run_id = new_id(BUSINESS), new_id(CHANNEL), new_id(RUN)
    key_id, sealed = Sealer({"k1": KEY}, "k1").seal({"auth_token": TOKEN}, channel_id)
    await connection.execute(_BUSINESS, business_id)
    await connection.execute(_CHANNEL, channel_id, business_id, ACCOUNT, SENDER, key_id, sealed)
    scope = account_scope(business_id, ACCOUNT)
    await connection.execute(_LIMIT, scope)
    await connection.execute(_PACE, scope)
    await connection.execute(_RUN, run_id, business_id, channel_id)
    await connection.execute(_CURSOR, run_id, business_id, jobs)
    await connection.execute(_JOBS, run_id, business_id, jobs)
    await connection.execute("VACUUM ANALYZE outbound.jobs")
    return run_id


async def start(connection: Any, run_id: str) -> None:
    """Let it go. Workers hear of it as they would of any other."""
    await connection.execute(_START, run_id)
    await connection.execute("SELECT pg_notify($1, '')", f"{app_role('outbound')}:{WORK}")
