"""Every process of every service, each behind links of its own, started again when it ends."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from tests.faults.clocks import clock, preloaded
from tests.faults.laboratory import Laboratory, service_of
from tests.faults.links import Link
from tests.faults.times import TIMES

from trunkline_common.db.roles import app_role
from trunkline_common.failpoints import VARIABLE
from trunkline_dev.servers.ports import LOOPBACK, free_ports
from trunkline_dev.servers.processes import birth_of, clean_environment, wait_until
from trunkline_dev.stack import Replica, Stack
from trunkline_dev.stack.options import SERVICES
from trunkline_dev.web import Web

REPLICAS: Final = (
    Replica("api", "api"),
    Replica("outbound", "outbound"),
    Replica("outbound-2", "outbound", "worker"),
    Replica("messaging", "messaging"),
    Replica("recordings", "recordings"),
)
_READY_SECONDS: Final = 180.0
_LOOK_SECONDS: Final = 0.05
_DRAIN_SECONDS: Final = 30.0  # a service drains for 25 at most


@dataclass(slots=True)
class Crewman:
    """One process that is to run: its links, and how often it was begun."""

    replica: Replica
    links: dict[str, Link]
    pid: int = 0
    birth: str | None = None
    begun: int = 0

    def is_running(self) -> bool:
        return self.birth is not None and birth_of(self.pid) == self.birth


@dataclass
class Fleet:
    """Whoever ends is begun again, whatever ended it, until the fleet is stopped."""

    stack: Stack
    replicas: tuple[Replica, ...] = REPLICAS
    times: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: TIMES)
    linked: bool = True  # each process reaches its servers over links that can be cut
    words: Mapping[str, str] = field(default_factory=dict)  # for the environment of the nurseries
    laboratory: Laboratory = field(init=False)
    _crew: dict[str, Crewman] = field(default_factory=dict)
    _nurseries: dict[str, subprocess.Popen[str]] = field(default_factory=dict)
    _stopped: threading.Event = field(default_factory=threading.Event)
    plants: dict[str, str] = field(default_factory=dict)  # by service: the rule it is without

    def name_of(self, pid: int) -> str:
        """Which process this is."""
        return next(name for name, one in self._crew.items() if one.pid == pid)

    def links(self, name: str) -> dict[str, Link]:
        """The links of a process, `database` and `broker`."""
        return self._crew[name].links

    def pid(self, name: str) -> int:
        """Whose turn it is: the process that was begun last under this name."""
        return self._crew[name].pid

    def signal(self, name: str, number: signal.Signals) -> int:
        """Send a process a signal; whose pid it was. One that ends is begun again."""
        pid = self._crew[name].pid
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        return pid

    def restart(self, name: str) -> None:
        """Tell a process to leave, and wait until the next one in its place is ready."""
        before = self._crew[name].begun
        self.signal(name, signal.SIGTERM)
        begun = wait_until(lambda: self._crew[name].begun > before, within=_DRAIN_SECONDS)
        assert begun, f"{name} did not leave within {_DRAIN_SECONDS:g} s"
        ready = partial(self.is_ready, name)
        assert wait_until(ready, within=_READY_SECONDS), f"{name} is not ready"

    def plant(self, service: str, rule: str) -> None:
        """From now on this service's processes are without a rule; with all of them: `""`."""
        self.plants[service] = rule
        names = [one.name for one in self.replicas if one.service == service]
        before = self.begun()
        for name in names:
            self.signal(name, signal.SIGKILL)
        again = wait_until(
            lambda: all(self._crew[name].begun > before[name] for name in names),
            within=_DRAIN_SECONDS,
        )
        assert again, f"{service} did not begin again"
        self.await_ready()

    def pids(self) -> dict[str, int]:
        """Which process everybody is."""
        return {name: one.pid for name, one in self._crew.items()}

    def connections(self, what: str) -> dict[str, int]:
        """How many connections everybody has to the `database`, or the `broker`."""
        return {name: one.links[what].connections for name, one in self._crew.items()}

    def begun(self) -> dict[str, int]:
        """How often each process was begun."""
        return {name: one.begun for name, one in self._crew.items()}

    @contextlib.contextmanager
    def run(self) -> Iterator[None]:
        """Begin everybody, and keep them going until the block ends."""
        layout = self.stack.layout
        missing = [one.name for one in self.replicas if one.name not in layout.ports]
        layout.ports.update(zip(missing, free_ports(len(missing)), strict=True))
        for replica in self.replicas:
            links = self._linked() if self.linked else {}
            self._crew[replica.name] = Crewman(replica, links)
        with contextlib.ExitStack() as nurseries:
            nurseries.callback(self._cut_links)  # once whoever used them is gone
            for service in SERVICES:
                self._nurseries[service] = nurseries.enter_context(self._nursery(service))
            watch = threading.Thread(target=self._watch, name="fleet")
            watch.start()
            try:
                self.await_ready()
                yield
            finally:
                self._stopped.set()
                watch.join(timeout=_READY_SECONDS)

    def await_ready(self) -> None:
        """Wait until every process says that it is ready."""
        for replica in self.replicas:
            ready = partial(self.is_ready, replica.name)
            assert wait_until(ready, within=_READY_SECONDS), f"{replica.name} is not ready"

    def is_ready(self, name: str) -> bool:
        """Whether the process of this name says that it is ready."""
        try:
            web = Web(self.stack.layout.url(name), seconds=3)
            return web.ask("GET", "/health/ready").status == 200
        except OSError:
            return False

    def _linked(self) -> dict[str, Link]:
        servers = self.stack.layout.servers
        targets = {"database": servers.postgres_url, "broker": servers.amqp_url}
        links = {
            what: Link(port, urlsplit(url).port or 0)
            for (what, url), port in zip(targets.items(), free_ports(len(targets)), strict=True)
        }
        for link in links.values():
            self.laboratory.do(link.open())
        return links

    def _cut_links(self) -> None:
        for one in self._crew.values():
            for link in one.links.values():
                self.laboratory.do(link.cut())

    @contextlib.contextmanager
    def _nursery(self, service: str) -> Iterator[subprocess.Popen[str]]:
        environment = {
            **clean_environment(VARIABLE),
            **preloaded(self.stack.folder),
            VARIABLE: str(self.laboratory.orders(service)),
            **self.words,
        }
        with subprocess.Popen(
            [sys.executable, "-m", "tests.faults.nursery", service],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=self.stack.root,
            env=environment,
        ) as process:
            yield process  # leaving closes its input: it ends what it has begun, and itself

    def _watch(self) -> None:
        while not self._stopped.wait(_LOOK_SECONDS):
            for one in self._crew.values():
                if not one.is_running():
                    self._begin(one)

    def _begin(self, one: Crewman) -> None:
        nursery = self._nurseries[one.replica.service]
        order = {
            "command": one.replica.command,
            "environment": self._environment(one),
            "log": str(self.stack.layout.log(one.replica.name)),
            "plant": self.plants.get(one.replica.service, ""),
        }
        assert nursery.stdin is not None
        assert nursery.stdout is not None
        nursery.stdin.write(json.dumps(order) + "\n")
        nursery.stdin.flush()
        one.pid = int(nursery.stdout.readline())
        one.birth = birth_of(one.pid) or "gone at once"
        one.begun += 1

    def _environment(self, one: Crewman) -> dict[str, str]:
        layout, service = self.stack.layout, service_of(one.replica.name)
        prefix = service.upper()
        told = layout.environment(one.replica)
        told.pop("TRUNKLINE_SPANS_DIR")
        database, broker = (one.links.get(what) for what in ("database", "broker"))
        return {
            **told,
            **clock(self.stack.folder, one.replica.name),
            VARIABLE: str(self.laboratory.orders(service)),
            f"{prefix}_DATABASE_URL": _through(layout.database_url(app_role(service)), database),
            f"{prefix}_BROKER_URL": _through(layout.broker_url, broker),
            **({"API_OUTBOUND_URL": layout.url("outbound")} if service == "api" else {}),
            **self.times.get(service, {}),
        }


def _through(url: str, link: Link | None) -> str:
    """The same server, reached over a link if there is one."""
    if link is None:
        return url
    parts = urlsplit(url)
    account = parts.netloc.rpartition("@")[0]
    return urlunsplit(parts._replace(netloc=f"{account}@{LOOPBACK}:{link.port}"))
