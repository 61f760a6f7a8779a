"""Events on a peer: its queue is filled, a worker is started, and the last event awaited."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Final

from tests.benchmarks.peers.job import LOGS
from tests.benchmarks.peers.runners import Peer, environment_of, run, worker
from tests.benchmarks.stage import Stage, loop_of

from trunkline_common.broker.management import Management
from trunkline_common.testing.facts import eventually

_SECONDS: Final = 300.0
_TABLE: Final = """
CREATE TABLE IF NOT EXISTS bench_events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, provider_call_id text, attempt_id text,
    status text, body text, received_at timestamptz NOT NULL DEFAULT clock_timestamp());
TRUNCATE bench_events;
"""
EMPTY, EFFECT = "empty handler", "a row each"
KINDS: Final = (EMPTY, EFFECT)


def peers(prefetch: int) -> tuple[Peer, ...]:
    """Those on RabbitMQ, one worker process each, with as many fetched ahead as Trunkline has.

    Dramatiq has its own eight threads: with an empty handler more of them are slower.
    """
    taskiq = ("worker", "events_on_taskiq:broker", "--workers", "1", "--max-async-tasks")
    dramatiq = ("-m", "dramatiq", "events_on_dramatiq", "--processes", "1")
    faststream = ("-m", "faststream", "run", "events_on_faststream:app")
    return (
        Peer("FastStream", faststream, "events_on_faststream.py"),
        Peer(
            "Taskiq",
            ("-m", "taskiq", *taskiq, str(prefetch), "--log-level", "WARNING"),
            "events_on_taskiq.py",
        ),
        Peer("Dramatiq", dramatiq, "events_on_dramatiq.py"),
    )


def consumed(
    peer: Peer, stage: Stage, *, kind: str, events: int, prefetch: int
) -> dict[str, float]:
    """Seconds from the first event to the last one done, and the worker's CPU seconds of them."""
    _forget_queues(stage)
    with tempfile.TemporaryDirectory() as folder, loop_of(stage) as (runner, connection):
        told = Path(folder) / "told"
        runner.run(connection.execute(_TABLE))
        environment = {
            **environment_of(stage, "", 0, 0),
            "BENCH_EVENTS": str(events),
            "BENCH_EFFECT": str(int(kind == EFFECT)),
            "BENCH_PREFETCH": str(prefetch),
            "BENCH_TOLD": str(told),
        }
        run(peer, (peer.module,), environment)
        with worker(peer, environment, LOGS / f"{peer.module}.log"):
            figures: dict[str, float] = json.loads(runner.run(_told(told)))
        return figures


def _forget_queues(stage: Stage) -> None:
    """What a killed worker had not acknowledged is nothing to the next one."""
    management = Management(stage.broker.management_url)
    for queue in management.call("GET", "queues", stage.broker.vhost):
        if _is_of_a_peer(queue["name"]):
            management.call("DELETE", "queues", stage.broker.vhost, queue["name"])


def _is_of_a_peer(queue: str) -> bool:
    return queue.partition(".")[0] in {"faststream", "taskiq", "default"}


async def _told(told: Path) -> str:
    def whole() -> str:
        said = told.read_text() if told.exists() else ""
        return said if said.endswith("\n") else ""

    return await eventually(whole, within=_SECONDS, what="the last event")
