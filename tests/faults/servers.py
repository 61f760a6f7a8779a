"""What is done to PostgreSQL and RabbitMQ, by the dice of a seed, and healed again."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

from tests.faults.scene import BRIEF, Nemesis, Scene

from trunkline_common.broker.connect import open_channel, open_connection
from trunkline_common.topology import QUEUES, layout
from trunkline_dev.servers.processes import wait_until
from trunkline_dev.stack.outage import broker_outage, database_outage, rabbitmqctl
from trunkline_dev.stack.preparation import prepare_broker

WITHIN: Final = 10.0
# Asked for its state, a worker answers when it has begun.
_FORWARDING: Final = (
    "length([sys:get_state(P) || {_, P, _, _} <- supervisor:which_children(rabbit_fifo_dlx_sup)])."
)
_OURS: Final = "application_name LIKE 'trunkline_%' AND datname = current_database()"


def lose_backends(scene: Scene) -> str:
    """PostgreSQL ends some sessions of ours."""
    sql = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"  # noqa: S608 - written above
        f" WHERE {_OURS} ORDER BY random() LIMIT 5"
    )
    return f"{len(scene.theatre.records.rows(sql))} sessions"


def kill_backend(scene: Scene) -> str:
    """SIGKILL of one backend, at work if any is: PostgreSQL ends all sessions, and recovers."""
    sql = (
        "SELECT pid, application_name, state FROM pg_stat_activity"  # noqa: S608 - written above
        f" WHERE {_OURS} ORDER BY (state = 'idle'), random() LIMIT 1"
    )
    [victim] = scene.theatre.records.rows(sql)
    os.kill(victim["pid"], signal.SIGKILL)

    def is_back() -> bool:
        with suppress(Exception):
            return bool(scene.theatre.records.rows("SELECT 1"))
        return False

    assert wait_until(is_back, within=WITHIN), "PostgreSQL did not come back"
    return f"one of {victim['application_name']}, {victim['state']}"


def crash_database(scene: Scene) -> str:
    """PostgreSQL stops at once, and recovers."""
    with database_outage(scene.folder):
        scene.pause(BRIEF)
    return "postgres"


def crash_broker(scene: Scene) -> str:
    """RabbitMQ's node is killed, and starts again."""
    with broker_outage(scene.folder, crash=True):
        scene.pause(BRIEF)
    return "rabbitmq"


def alarm(scene: Scene) -> str:
    """The broker is short of memory: it reads from nobody who publishes."""
    with _alarm(scene, ("set_vm_memory_high_watermark", "0.6")):
        rabbitmqctl(scene.folder, "set_vm_memory_high_watermark", "absolute", "1MB")
        scene.pause(BRIEF)
    return "memory"


def disk_alarm(scene: Scene) -> str:
    """The broker is short of disk: it reads from nobody who publishes."""
    with _alarm(scene, ("set_disk_free_limit", str(50 * 10**6))):
        rabbitmqctl(scene.folder, "set_disk_free_limit", str(10**15))
        rung = rabbitmqctl(scene.folder, "eval", "rabbit_alarm:get_alarms().")
        assert "disk" in rung, f"no alarm rang: {rung}"
        scene.pause(BRIEF)
    return "disk"


@contextmanager
def _alarm(scene: Scene, healing: tuple[str, ...]) -> Iterator[None]:
    try:
        yield
    finally:
        rabbitmqctl(scene.folder, *healing)


def close_connections(scene: Scene) -> str:
    """The broker closes every connection."""
    rabbitmqctl(scene.folder, "close_all_connections", "nemesis")
    return "all connections"


def delete_queues(scene: Scene) -> str:
    """A lane loses the queues where what failed waits, and gets them back by the command.

    Only empty ones, and none that is consumed: what a queue has confirmed is lost with it, and
    nothing of ours would say it again. That is outside of what is promised.
    """
    lane = scene.dice.choice(QUEUES)
    assert wait_until(lambda: _all_forward(scene), within=WITHIN), "queues have no forwarders"
    deleted = asyncio.run(_delete_empty(scene.theatre.stack.layout.broker_url, lane.retry_queues))
    scene.pause(BRIEF)
    prepare_broker(scene.theatre.stack.layout)
    return f"{deleted} where {lane.name} tries again"


def _all_forward(scene: Scene) -> bool:
    """Whether each queue that passes on what is due has its worker, which the broker starts late.

    A queue that is deleted before its worker has begun takes the supervisor of them all down until
    the node starts again, and no queue can be declared (rabbitmq-server #16652): the broker's own.
    """
    wanted = [
        queue
        for queue in layout(QUEUES).queues
        if queue.arguments.get("x-dead-letter-strategy") == "at-least-once"
    ]
    with suppress(Exception):
        return rabbitmqctl(scene.folder, "eval", _FORWARDING).strip() == str(len(wanted))
    return False


async def _delete_empty(url: str, names: Iterable[str]) -> int:
    """Quorum queues cannot be told to be deleted if empty: they are asked before."""
    deleted = 0
    async with open_connection(url, "nemesis") as connection, open_channel(connection) as channel:
        for name in names:
            queue = await channel.declare_queue(name, passive=True)
            if not queue.declaration_result.message_count:
                await channel.queue_delete(name)
                deleted += 1
    return deleted


SERVERS: Final[tuple[Nemesis, ...]] = (
    lose_backends,
    kill_backend,
    crash_database,
    crash_broker,
    alarm,
    disk_alarm,
    close_connections,
    delete_queues,
)
