"""Three RabbitMQ nodes, each in a network of its own, as one cluster."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.faults.wires import Wires

from trunkline_common.broker.connect import BrokerLost
from trunkline_common.broker.management import Management
from trunkline_dev.servers.processes import Launched, launch, stop, wait_until
from trunkline_dev.servers.rabbit import Node, RabbitPrograms
from trunkline_dev.servers.state import Ledger, password_in, read_ledger

NODES: Final = ("n1", "n2", "n3")
AMQP: Final = 5672
NET_TICK_SECONDS: Final = 10  # a silent node is given up after about so long; the default is 60
_MANAGEMENT, _PROMETHEUS, _DISTRIBUTION, _EPMD = 15672, 15692, 25672, 4369
_USER: Final = "trunkline"
_START_SECONDS: Final = 180.0
MEND_AFTER_SECONDS: Final = 40.0  # what has not come together by itself by then never does
_END_SECONDS: Final = 30.0


@dataclass(frozen=True)
class Member(Node):
    """A node that is known by its address, and knows the others."""

    address: str = ""
    others: tuple[str, ...] = ()

    @property
    def amqp_url(self) -> str:
        return f"amqp://{_USER}:{self.password}@{self.address}:{self.amqp}/"

    @property
    def management_url(self) -> str:
        return f"http://{self.address}:{self.management}"

    def settings(self) -> str:
        """The node's rabbitmq.conf."""
        nodes = (
            f"cluster_formation.classic_config.nodes.{at} = {name}"
            for at, name in enumerate(self.others, start=1)
        )
        own = Node.settings(self).replace("127.0.0.1", self.address)
        return "\n".join(
            (
                own.rstrip(),
                "cluster_formation.peer_discovery_backend = classic_config",
                *nodes,
                "cluster_partition_handling = pause_minority",
                f"net_ticktime = {NET_TICK_SECONDS}",
                "queue_leader_locator = balanced",
                "",
            )
        )

    def environment(self, programs: RabbitPrograms) -> dict[str, str]:
        """As a node alone, but seen by the others: their networks are no one else's."""
        return {
            **Node.environment(self, programs),
            "RABBITMQ_USE_LONGNAME": "true",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+sbwt none",
            "ERL_EPMD_ADDRESS": self.address,
        }


@dataclass
class Cluster:
    """The nodes by their places; any may be killed, and begun again where it was."""

    wires: Wires
    programs: RabbitPrograms
    folder: Path
    members: dict[str, Member] = field(default_factory=dict)
    mended: list[str] = field(default_factory=list)  # nodes that were restarted by hand
    _running: dict[str, Launched] = field(default_factory=dict)

    @contextmanager
    def open(self) -> Iterator[Cluster]:
        """Begin all three, and wait until they are one; end them all."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for left in read_ledger(self.folder / "cluster.json").processes:
            stop(left, within=_END_SECONDS)
        self._ledger = Ledger(self.folder / "cluster.json")
        try:
            for place in NODES:
                self.members[place] = self._member(place)
                self._serve(place, "epmd")
                self.begin(place)
            whole = wait_until(lambda: not self.missing(), within=_START_SECONDS)
            assert whole, f"the cluster did not come: {self.missing()} (see {self.folder})"
            yield self
        finally:
            self.kill(*NODES)
            for process in self._ledger.processes:
                stop(process, within=_END_SECONDS)

    def kill(self, *places: str) -> None:
        """SIGKILL: these nodes are gone, as when their machines are."""
        ended = [self._running.pop(place) for place in places if place in self._running]
        for process in ended:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        wait_until(lambda: not any(one.is_running() for one in ended), within=_END_SECONDS)

    def begin(self, *places: str) -> None:
        """Begin these nodes, again or for the first time."""
        for place in places:
            self._running[place] = self._serve(place, "rabbitmq")

    def await_whole(self, *, within: float) -> None:
        """Wait until every node sees every other, and every queue has all its members.

        Nodes on Mnesia that a cut divided for about as long as the tick stay divided by themselves:
        RabbitMQ's guide has a person restart those of the smaller part, and so do we.
        """
        if wait_until(lambda: not self.missing(), within=min(MEND_AFTER_SECONDS, within)):
            return
        alone = least_seen({place: self._seen_by(place) for place in NODES})
        self.mended += alone
        self.kill(*alone)
        self.begin(*alone)
        whole = wait_until(lambda: not self.missing(), within=within)
        assert whole, f"the cluster is not whole after {within:g} s: {self.missing()}"

    def _seen_by(self, place: str) -> set[str]:
        """The nodes that run, as this one sees it; none if it does not answer."""
        try:
            rows = self._ask(place, "nodes")
        except (BrokerLost, OSError, ValueError):
            return set()
        running = {row["name"] for row in rows if row["running"]}
        return {one for one, member in self.members.items() if member.name in running}

    def _ask(self, place: str, what: str) -> list[dict[str, Any]]:
        member = self.members[place]
        url = member.management_url.replace("//", f"//{_USER}:{member.password}@")
        answer: list[dict[str, Any]] = Management(url).call("GET", what)
        return answer

    def missing(self) -> list[str]:
        """What is not as it should be, by each node."""
        found: list[str] = []
        for place in NODES:
            seen = self._seen_by(place)
            found += [f"{place} does not see {other}" for other in NODES if other not in seen]
            try:
                found += _lacking(self._ask(place, "queues"))
            except (BrokerLost, OSError, ValueError) as error:
                found.append(f"{place}: {type(error).__name__}")
        return found

    def _member(self, place: str) -> Member:
        home = self.folder / place
        for part in ("data", "log", "generated"):
            (home / part).mkdir(parents=True, exist_ok=True)
        (home / "enabled_plugins").write_text("[rabbitmq_management,rabbitmq_prometheus].\n")
        member = Member(
            f"rabbit@{self.wires.address(place)}",
            home,
            password_in(self.folder / "password"),
            AMQP,
            _MANAGEMENT,
            _PROMETHEUS,
            _DISTRIBUTION,
            _EPMD,
            address=self.wires.address(place),
            others=tuple(f"rabbit@{self.wires.address(other)}" for other in NODES),
        )
        (home / "rabbitmq.conf").write_text(member.settings())
        cookie = home / ".erlang.cookie"
        if not cookie.exists():
            cookie.write_text(password_in(self.folder / "cookie"))
            cookie.chmod(0o400)
        return member

    def _serve(self, place: str, what: str) -> Launched:
        member = self.members[place]
        assert self.programs.erlang is not None, "the cluster runs our own copy"
        command = {
            "epmd": (str(self.programs.erlang / "bin" / "epmd"), "-address", member.address),
            "rabbitmq": (str(self.programs.home / "sbin" / "rabbitmq-server"),),
        }[what]
        return self._ledger.launched(
            launch(
                f"{what} {place}",
                [*self.wires.inside(place), *command],
                folder=member.home,
                log=member.home / "output",
                environment=member.environment(self.programs),
            )
        )


def _lacking(queues: list[dict[str, Any]]) -> list[str]:
    """Quorum queues that are short of a member or of a leader."""
    return [
        f"{row['name']} has {len(row.get('online', ()))} of {len(NODES)} members"
        for row in queues
        if row.get("type") == "quorum"
        and (len(row.get("online", ())) < len(NODES) or not row.get("leader"))
    ]


def least_seen(seen: Mapping[str, AbstractSet[str]]) -> list[str]:
    """Without whom the others are one: those that see and are seen the least, one by one."""
    left = list(seen)
    while True:
        apart = {
            one: sum(other not in seen[one] or one not in seen[other] for other in left)
            for one in left
        }
        if not any(apart.values()):
            return [one for one in seen if one not in left]
        left.remove(max(left, key=lambda one: apart[one]))
