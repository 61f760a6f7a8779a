"""How soon the slot of a call that ended is used again, from the callback to the next request.

    python -m tests.benchmarks.slots --calls 405 --slots 5

Every process that a callback passes is one of its own: api's `serve`, `consume` and `relay`,
outbound's `consume`, `dispatch`, `reconcile` and `relay`. All slots are taken from the start, so
the n-th callback makes room for the request that is `--slots` after the n-th, and for no other.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import subprocess
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from statistics import quantiles
from typing import Any

from tests.benchmarks.dispatch import environment_of, program
from tests.benchmarks.report import Table, conditions, write
from tests.benchmarks.stage import TOKEN, Stage, add_run, loop_of, servers, start

from trunkline_common.testing.facts import eventually

AIM_MS = 100
_SECONDS = 600.0
_PROCESSES = {
    "trunkline_api": ("serve", "consume", "relay"),
    "trunkline_outbound": ("consume", "relay", "reconcile", "dispatch"),
}
_LIMIT = "INSERT INTO outbound.limits (kind, id, cap) VALUES ('run', $1, $2)"
# What api knows of it, so that it believes the callbacks and keeps what outbound says of them.
_KNOWN = (
    """
INSERT INTO api.businesses (id, name, country, time_zone)
SELECT business_id, 'benchmark', country, time_zone FROM outbound.businesses
 WHERE business_id = (SELECT business_id FROM outbound.runs WHERE run_id = $1)
""",
    """
INSERT INTO api.channels (id, business_id, kind, account, senders, key_id, sealed, per_second,
                          concurrent)
SELECT channel_id, business_id, kind, account, senders, key_id, sealed, per_second, concurrent
  FROM outbound.channels
 WHERE channel_id = (SELECT channel_id FROM outbound.runs WHERE run_id = $1)
""",
    """
INSERT INTO api.runs (id, business_id, name, channel, channel_id, audience, content, policy, state,
                      correlation_id)
SELECT run_id, business_id, display_name, channel, channel_id, 'all', content, policy, 'running',
       correlation_id
  FROM outbound.runs WHERE run_id = $1
""",
)
_THERE = """
SELECT count(DISTINCT application_name) FROM pg_stat_activity
 WHERE application_name ~ '^trunkline_(api|outbound)' AND datname = current_database()
"""
_OPEN = "SELECT count(*) FROM outbound.jobs WHERE run_id = $1 AND state <> 'done'"


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _environment(stage: Stage, provider: str) -> dict[str, str]:
    """Of api and of outbound alike: each reads what begins with its own name."""
    port = _free_port()
    public = f"http://127.0.0.1:{port}"
    secret = "s" * 32
    shared = environment_of(stage, provider, 100)
    return {
        **shared,
        "OUTBOUND_CALLBACK_SECRET": secret,
        "OUTBOUND_CALLBACK_BASE_URL": public,
        "API_DATABASE_URL": stage.urls["api"],
        "API_BROKER_URL": stage.broker.url,
        "API_SEALING_KEYS": shared["OUTBOUND_SEALING_KEYS"],
        "API_CALLBACK_SECRET": secret,
        "API_OPERATOR_TOKEN": secret,
        "API_PUBLIC_URL": public,
        "API_HTTP_PORT": str(port),
    }


async def _listens(address: str) -> bool:
    try:
        _, writer = await asyncio.open_connection(*address.removeprefix("http://").split(":"))
    except OSError:
        return False
    writer.close()
    return True


async def _called(connection: Any, public: str, calls: int, slots: int) -> None:
    """One run from its start until its last call has ended."""
    run_id = await add_run(connection, calls)
    await connection.execute(_LIMIT, run_id, slots)
    for statement in _KNOWN:
        await connection.execute(statement, run_id)

    async def there() -> bool:
        wanted = sum(len(names) for names in _PROCESSES.values())
        known = int(await connection.fetchval(_THERE))
        return known >= wanted and await _listens(public)

    await eventually(there, within=60, what="the processes' first connections")
    await start(connection, run_id)

    async def over() -> bool:
        return not await connection.fetchval(_OPEN, run_id)

    await eventually(over, within=_SECONDS, what="the end of every call")


def measure(stage: Stage, options: argparse.Namespace) -> dict[str, Any]:
    """The times of the provider, after a run of so many calls."""
    with ExitStack() as stack:
        words = ("--token", TOKEN, "--shortest", str(options.shortest))
        caller = stack.enter_context(program("tests.benchmarks.caller", *words))
        assert caller.stdout is not None
        provider = f"http://127.0.0.1:{int(caller.stdout.readline())}"
        environment = _environment(stage, provider)
        runner, connection = stack.enter_context(loop_of(stage))
        for service, names in _PROCESSES.items():
            for name in names:
                own = {} if name == "serve" else {"API_HTTP_PORT": "0"}
                stack.enter_context(program(service, name, **environment | own))
        public = environment["API_PUBLIC_URL"]
        runner.run(_called(connection, public, options.calls, options.slots))
        return _told(caller, options.calls)


def _told(caller: subprocess.Popen[str], calls: int) -> dict[str, Any]:
    said, _ = caller.communicate(timeout=60)
    times: dict[str, Any] = json.loads(said)
    if len(times["requests"]) != calls or times["refused"]:
        seen = f"{len(times['requests'])} requests, {times['refused']} callbacks refused"
        raise SystemExit(f"benchmarks: {seen} for {calls} calls")
    return times


def hand_overs(times: Mapping[str, Any], slots: int) -> list[float]:
    """Milliseconds from each callback to the request that its slot was for."""
    pairs = zip(times["callbacks"], times["requests"][slots:], strict=False)
    found = [1000 * (request - callback) for callback, request in pairs]
    if min(found) < 0:
        raise SystemExit("benchmarks: a request came before there was a slot for it")
    return found


def _row(what: str, figures: list[float]) -> tuple[str, ...]:
    cuts = quantiles(figures, n=100)
    shown = (f"{cuts[place - 1]:.0f}" for place in (50, 90, 99))
    return (what, str(len(figures)), *shown, f"{max(figures):.0f}")


def main() -> None:
    """Measure, and write down what came of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.slots")
    parser.add_argument("--calls", type=int, default=405)
    parser.add_argument("--slots", type=int, default=5)
    parser.add_argument("--shortest", type=float, default=0.25, help="call, seconds; longest: x3")
    parser.add_argument("--out", type=Path, default=Path(".local/benchmarks"))
    options = parser.parse_args()
    before = os.getloadavg()[0]
    with servers() as stage:
        times = measure(stage, options)
    table = Table(
        ("from the callback to", "times", "p50 ms", "p90 ms", "p99 ms", "longest ms"),
        (
            _row("api's answer", [1000 * seconds for seconds in times["thanks"]]),
            _row("the next request in its slot", hand_overs(times, options.slots)),
        ),
    )
    title = f"A freed slot: {options.calls} calls, {options.slots} at once, aim {AIM_MS} ms"
    write(options.out, "slots", title, table, times, conditions(before))


if __name__ == "__main__":
    main()
