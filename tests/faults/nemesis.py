"""What is done to a running stack as a whole, each by the dice of a seed, each healed again."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from tests.faults.clocks import LIBRARY, TRUE, WRONG, set_clock
from tests.faults.fleet import REPLICAS
from tests.faults.scene import LONG, Nemesis, Scene
from tests.faults.servers import SERVERS

SLOW: Final = 0.05  # seconds that each piece is late on a slow link


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


def freeze_worker(scene: Scene) -> str:
    """The second worker stands still: the first goes on, and takes over what it held."""
    pid = scene.theatre.fleet.signal("outbound-2", signal.SIGSTOP)
    scene.pause(LONG)
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)
    return "outbound-2"


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


def skew(scene: Scene) -> str:
    """One process is five minutes ahead, another five behind; the database is right."""
    ahead = scene.somebody()
    behind = scene.somebody(but=(ahead,))
    try:
        for name, wrong in zip((ahead, behind), WRONG, strict=True):
            set_clock(scene.folder, name, wrong)
        scene.pause(LONG)
    finally:
        for name in (ahead, behind):
            set_clock(scene.folder, name, TRUE)
    return f"{ahead} {WRONG[0]} s, {behind} {WRONG[1]} s"


# Where the library is missing clocks are right, and the summary says so.
NEMESES: Final[dict[str, Nemesis]] = {
    one.__name__: one
    for one in (
        kill,
        freeze,
        freeze_worker,
        leave,
        roll,
        cut,
        stall,
        slow,
        *SERVERS,
        *((skew,) if LIBRARY else ()),
    )
}
