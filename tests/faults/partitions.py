"""What is done to three nodes and to the ways between them and us, as RabbitMQ tests itself."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event
from typing import Final

from tests.faults.cluster import NODES
from tests.faults.cluster_stage import DATABASE, ClusterStage
from tests.faults.fleet import REPLICAS
from tests.faults.wires import How

WHOLE_SECONDS: Final = 180.0


@dataclass(frozen=True, slots=True)
class Trial:
    """The stage, the dice, and for how long something lasts this time."""

    stage: ClusterStage
    dice: random.Random
    seconds: float

    def last(self) -> None:
        """Let it be so, for as long as it is to last."""
        Event().wait(self.seconds)

    @contextmanager
    def struck(self) -> Iterator[None]:
        """What is struck inside lasts; then all is healed, and the cluster becomes whole."""
        try:
            yield
            self.last()
        finally:
            self.stage.wires.heal()
        self.stage.cluster.await_whole(within=WHOLE_SECONDS)

    def apart(self, place: str, *others: str, how: How = "drop") -> None:
        """Between these nodes."""
        wires = self.stage.wires
        wires.strike(place, [wires.address(other) for other in others], how)

    def away(self, name: str, *places: str, how: How = "drop") -> None:
        """Between a process and these places."""
        for place in places:
            self.stage.wires.strike(place, [self.stage.fleet.source(name)], how)

    def some_nodes(self, many: int) -> list[str]:
        return sorted(self.dice.sample(NODES, many))

    def some_processes(self, many: int) -> list[str]:
        return sorted(self.dice.sample([one.name for one in REPLICAS], many))


Split = Callable[[Trial], str]


def _killed(trial: Trial, many: int) -> str:
    nodes = trial.some_nodes(many)
    trial.stage.cluster.kill(*nodes)
    try:
        trial.last()
    finally:
        trial.stage.cluster.begin(*nodes)
    trial.stage.cluster.await_whole(within=WHOLE_SECONDS)
    return " and ".join(nodes)


def kill_one(trial: Trial) -> str:
    """SIGKILL of one node: the others have a majority."""
    return _killed(trial, 1)


def kill_two(trial: Trial) -> str:
    """SIGKILL of two: nobody has a majority until one is back."""
    return _killed(trial, 2)


def random_node(trial: Trial) -> str:
    """One node is cut off from the others; every process reaches all of them."""
    (node,) = trial.some_nodes(1)
    with trial.struck():
        trial.apart(node, *(one for one in NODES if one != node))
    return node


def halves(trial: Trial) -> str:
    """A true split: one node with some processes here, two nodes with the others there."""
    (node,) = trial.some_nodes(1)
    here = trial.some_processes(2)
    there = [one for one in NODES if one != node]
    with trial.struck():
        trial.apart(node, *there)
        for replica in REPLICAS:
            trial.away(replica.name, *(there if replica.name in here else (node,)))
    return f"{node} with {' and '.join(here)}"


def majorities_ring(trial: Trial) -> str:
    """Each sees a majority, and no two the same one: of three, one pair is cut."""
    one, other = trial.some_nodes(2)
    with trial.struck():
        trial.apart(one, other)
    return f"{one} and {other}"


def lossy_cluster(trial: Trial) -> str:
    """Of all packets between nodes, 30 % are lost, each way."""
    with trial.struck():
        for at, node in enumerate(NODES[:-1]):
            trial.apart(node, *NODES[at + 1 :], how="lose")
    return "all nodes"


def lossy_process(trial: Trial) -> str:
    """Of the packets between one process and all its servers, 30 % are lost, each way."""
    (name,) = trial.some_processes(1)
    with trial.struck():
        trial.away(name, *NODES, DATABASE, how="lose")
    return name


def cut_by_drop(trial: Trial) -> str:
    """Nothing arrives between one process and all nodes, or the database; nobody is told."""
    return _cut(trial, "drop")


def cut_by_reset(trial: Trial) -> str:
    """The same, and every packet is answered by a reset."""
    return _cut(trial, "reset")


def _cut(trial: Trial, how: How) -> str:
    (name,) = trial.some_processes(1)
    places = trial.dice.choice((NODES, (DATABASE,)))
    with trial.struck():
        trial.away(name, *places, how=how)
    return f"{name} and {', '.join(places)}"


SPLITS: Final[dict[str, Split]] = {
    one.__name__: one
    for one in (
        kill_one,
        kill_two,
        random_node,
        halves,
        majorities_ring,
        lossy_cluster,
        lossy_process,
        cut_by_drop,
        cut_by_reset,
    )
}
