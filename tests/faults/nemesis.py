"""What is done to a running stack as a whole, each by the dice of a seed, each healed again."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING, Final

from tests.faults.fleet import REPLICAS
from tests.faults.times import LEASE

from trunkline_dev.stack.outage import broker_outage, database_outage, rabbitmqctl

if TYPE_CHECKING:
    from tests.faults.matrix import Theatre

BRIEF: Final = (0.2, 1.0)  # seconds of what a process outlives without losing anything
LONG: Final = (1.1 * LEASE, 1.5 * LEASE)  # of what costs it its leases
SLOW: Final = 0.05  # seconds that each piece is late on a slow link


@dataclass(frozen=True, slots=True)
class Scene:
    """Where a nemesis works, and the dice it is drawn by."""

    theatre: Theatre
    dice: random.Random

    def somebody(self, *, but: tuple[str, ...] = ()) -> str:
        """One of the processes."""
        return self.dice.choice([one.name for one in REPLICAS if one.name not in but])

    def pause(self, between: tuple[float, float]) -> None:
        """Let it last."""
        Event().wait(self.dice.uniform(*between))


Nemesis = Callable[[Scene], str]


def kill(scene: Scene) -> str:
    """SIGKILL: the process is gone, as when its machine is."""
    name = scene.somebody()
    scene.theatre.fleet.signal(name, signal.SIGKILL)
    return name


def freeze(scene: Scene) -> str:
    """SIGSTOP for longer than a lease, then on as if nothing had been."""
    name = scene.somebody()
    pid = scene.theatre.fleet.signal(name, signal.SIGSTOP)
    scene.pause(LONG)
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)
    return name


def leave(scene: Scene) -> str:
    """SIGTERM under load: it drains, and another comes."""
    name = scene.somebody()
    scene.theatre.fleet.signal(name, signal.SIGTERM)
    return name


def roll(scene: Scene) -> str:
    """A rolling restart: each is told to leave, and the next one when it is back."""
    for replica in REPLICAS:
        scene.theatre.fleet.restart(replica.name)
    return "all"


def lose_backends(scene: Scene) -> str:
    """PostgreSQL ends some sessions of ours."""
    sql = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE application_name LIKE 'trunkline_%' AND datname = current_database()
     ORDER BY random() LIMIT 5
    """
    return f"{len(scene.theatre.records.rows(sql))} sessions"


def crash_database(scene: Scene) -> str:
    """PostgreSQL stops at once, and recovers."""
    with database_outage(scene.theatre.stack.folder):
        scene.pause(BRIEF)
    return "postgres"


def crash_broker(scene: Scene) -> str:
    """RabbitMQ's node is killed, and starts again."""
    with broker_outage(scene.theatre.stack.folder, crash=True):
        scene.pause(BRIEF)
    return "rabbitmq"


def alarm(scene: Scene) -> str:
    """The broker is short of memory: it reads from nobody who publishes."""
    folder = scene.theatre.stack.folder
    rabbitmqctl(folder, "set_vm_memory_high_watermark", "absolute", "1MB")
    try:
        scene.pause(BRIEF)
    finally:
        rabbitmqctl(folder, "set_vm_memory_high_watermark", "0.6")
    return "memory"


def close_connections(scene: Scene) -> str:
    """The broker closes every connection."""
    rabbitmqctl(scene.theatre.stack.folder, "close_all_connections", "nemesis")
    return "all connections"


@contextmanager
def _healed(scene: Scene, name: str, what: str) -> Iterator[None]:
    link = scene.theatre.fleet.links(name)[what]
    try:
        yield
    finally:
        scene.theatre.laboratory.do(link.open())
        scene.theatre.laboratory.do(link.flow())


def cut(scene: Scene) -> str:
    """One process and one server: connections are reset, and new ones refused."""
    name, what = scene.somebody(), scene.dice.choice(("database", "broker"))
    with _healed(scene, name, what):
        scene.theatre.laboratory.do(scene.theatre.fleet.links(name)[what].cut())
        scene.pause(LONG)
    return f"{name} and its {what}"


def stall(scene: Scene) -> str:
    """Half-open: what is sent arrives nowhere, and nobody is told."""
    name, what = scene.somebody(), scene.dice.choice(("database", "broker"))
    with _healed(scene, name, what):
        scene.theatre.laboratory.do(scene.theatre.fleet.links(name)[what].stall())
        scene.pause(LONG)
    return f"{name} and its {what}"


def slow(scene: Scene) -> str:
    """A slow link: each piece comes late."""
    name, what = scene.somebody(), scene.dice.choice(("database", "broker"))
    with _healed(scene, name, what):
        scene.theatre.laboratory.do(scene.theatre.fleet.links(name)[what].flow(delay=SLOW))
        scene.pause(LONG)
    return f"{name} and its {what}"


NEMESES: Final[dict[str, Nemesis]] = {
    one.__name__: one
    for one in (
        kill,
        freeze,
        leave,
        roll,
        lose_backends,
        crash_database,
        crash_broker,
        alarm,
        close_connections,
        cut,
        stall,
        slow,
    )
}
