"""The services' processes before a cluster: each has an address of its own, and knows all nodes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from urllib.parse import quote, urlsplit

from tests.faults.cluster import AMQP, NODES, Cluster
from tests.faults.fleet import REPLICAS, Crewman, Fleet
from tests.faults.laboratory import service_of
from tests.faults.links import Link
from tests.faults.matrix import Theatre
from tests.faults.wires import Wires

from trunkline_dev.checkout import checkout_root
from trunkline_dev.nft import find_nft
from trunkline_dev.servers import Given
from trunkline_dev.servers.ports import LOOPBACK, free_ports
from trunkline_dev.servers.rabbit import find_rabbit
from trunkline_dev.settings import Settings

DATABASE = "db"  # the place that every process passes on its way to PostgreSQL
_POSTGRES = 5432
# Three nodes take their part of a small machine: with leases of three seconds it would be busy with
# take-overs alone.
_LEASES = {
    "OUTBOUND_LEASE_SECONDS": "10",
    "OUTBOUND_RENEW_SECONDS": "2",
    "MESSAGING_LEASE": "10",
    "RECORDINGS_LEASE": "10",
    "RECORDINGS_RENEW_EVERY": "2",
}


class Door(Link):
    """Inside one network on one side, before a server of the machine's own on the other."""

    def __init__(self, wires: Wires, place: str, port: int, target: int) -> None:
        super().__init__(port, target)
        self._wires, self._place = wires, place

    async def open(self) -> None:
        """Let connections through."""
        there = self._wires.listening(self._place, self.port)
        self._server = await asyncio.start_server(self._carry, sock=there)


@dataclass
class ClusterFleet(Fleet):
    """The fleet, where a broker is three: a link to each, over the laboratory's wires."""

    cluster: Cluster = field(kw_only=True)
    _numbers: Iterator[int] = field(default_factory=count)
    _door: Door | None = None

    def source(self, name: str) -> str:
        """The address that a process has for every place."""
        return self.cluster.wires.source([one.name for one in REPLICAS].index(name))

    def _linked(self) -> dict[str, Link]:
        self._open_door()
        wires = self.cluster.wires
        source = wires.source(next(self._numbers))
        targets = {"database": (DATABASE, _POSTGRES), **{node: (node, AMQP) for node in NODES}}
        links = {
            what: Link(port, target, host=wires.address(place), source=source)
            for (what, (place, target)), port in zip(
                targets.items(), free_ports(len(targets)), strict=True
            )
        }
        for link in links.values():
            self.laboratory.do(link.open())
        return {**links, "broker": links[NODES[0]]}

    def _open_door(self) -> None:
        if self._door is None:
            target = urlsplit(self.stack.layout.servers.postgres_url).port or 0
            self._door = Door(self.cluster.wires, DATABASE, _POSTGRES, target)
            self.laboratory.do(self._door.open())

    def _cut_links(self) -> None:
        super()._cut_links()
        if self._door is not None:
            self.laboratory.do(self._door.cut())

    def _environment(self, one: Crewman) -> dict[str, str]:
        account = urlsplit(self.stack.layout.broker_url).netloc.rpartition("@")[0]
        vhost = quote(self.stack.layout.vhost, safe="")
        urls = (f"amqp://{account}@{LOOPBACK}:{one.links[node].port}/{vhost}" for node in NODES)
        prefix = service_of(one.replica.name).upper()
        leases = {name: value for name, value in _LEASES.items() if name.startswith(prefix)}
        return {**super()._environment(one), **leases, f"{prefix}_BROKER_URL": ",".join(urls)}


@dataclass(frozen=True, slots=True)
class ClusterStage:
    """All of it, running."""

    theatre: Theatre
    fleet: ClusterFleet
    cluster: Cluster

    @property
    def wires(self) -> Wires:
        return self.cluster.wires

    @classmethod
    @contextmanager
    def open(cls, instance: str) -> Iterator[ClusterStage]:
        """Wires, then nodes, then services; taken away in the other order."""
        root = checkout_root()
        local, settings = root / ".local", Settings()
        folder = local / f"{instance}-nodes"
        wires = Wires(folder, (*NODES, DATABASE), find_nft(local / "nftables"), len(REPLICAS))
        programs = find_rabbit(local / "rabbitmq", settings.broker)
        with ExitStack() as held:
            held.enter_context(wires.open())
            cluster = held.enter_context(Cluster(wires, programs, folder).open())
            first = cluster.members[NODES[0]]
            given = Given(settings.postgres_url, first.amqp_url, first.management_url)
            crew = partial(ClusterFleet, cluster=cluster)
            theatre = held.enter_context(Theatre.open(instance, given, crew))
            assert isinstance(theatre.fleet, ClusterFleet)
            yield cls(theatre, theatre.fleet, cluster)
