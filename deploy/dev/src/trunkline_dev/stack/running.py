"""A stack that runs: started as a whole, and part by part killed, ended and started again."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from trunkline_dev.servers import Servers, start_servers, stop_servers
from trunkline_dev.servers.instance import running_servers
from trunkline_dev.servers.ports import free_ports
from trunkline_dev.servers.processes import Launched, launch, stop, wait_until
from trunkline_dev.stack.credentials import credentials_in
from trunkline_dev.stack.layout import Layout
from trunkline_dev.stack.ledger import StackLedger, read_stack_ledger
from trunkline_dev.stack.options import SANDBOX, Options, Replica
from trunkline_dev.stack.preparation import prepare_broker, prepare_database
from trunkline_dev.stack.rows import Rows, Silent
from trunkline_dev.web import Web

READY_SECONDS: Final = 90.0
DRAIN_SECONDS: Final = 30.0  # a service drains for 25 at most
_LOOK_SECONDS: Final = 3.0
_LAST_LINES: Final = 15


class StackFailed(Exception):
    """A part did not come; what its log said last."""


class Stack:
    """One instance. `start` blocks until every part is ready; whatever fails stops all of it."""

    def __init__(self, root: Path, options: Options, rows: Rows | None = None) -> None:
        self.root = root
        self.options = options
        self.folder = root.absolute() / ".local" / options.instance
        self._rows = rows or Silent()
        self._ledger = read_stack_ledger(self.folder / "stack.json")
        self._layout: Layout | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def shown_on(self, rows: Rows) -> None:
        """Tell from now on there how far the parts are."""
        self._rows = rows

    @property
    def layout(self) -> Layout:
        """Where everything of this stack is, once it has started."""
        if self._layout is None:
            raise StackFailed(f"{self.options.instance} has not been started")
        return self._layout

    def api(self, key: str | None = None) -> Web:
        """The public API, as whoever holds this key or as the operator."""
        token = key or self.layout.credentials.operator_token
        return Web(self.layout.url("api"), {"Authorization": f"Bearer {token}"})

    def sandbox(self) -> Web:
        """The sandbox's own side: its log, its registers, its faults."""
        return Web(self.layout.url(SANDBOX))

    def start(self) -> None:
        """Start everything, or find it running."""
        if self.attach():
            return
        self.stop()
        if self.options.fresh:
            shutil.rmtree(self.folder, ignore_errors=True)
        try:
            self._prepare(self._servers())
            self._start_sandbox()
            self.start_replicas(self.options.replicas)
            self._ledger.complete = True
            self._ledger.write()
        except BaseException:
            self.stop()
            raise

    def attach(self) -> bool:
        """Find an earlier start of this instance still running."""
        servers = running_servers(self.root, self.options.instance)
        if servers is None or not self._ledger.is_running() or self.options.fresh:
            return False
        self._layout = self._layout_of(servers)
        for part in self._ledger.processes:
            self._rows.ready(part, f"runs already, {self._layout.url(part)}")
        return True

    def stop(self) -> bool:
        """Stop every process of this instance, its servers last; whether anything ran."""
        ran = [one for one in self._ledger.processes.values() if one.is_running()]
        with ThreadPoolExecutor(max_workers=8) as hands:
            list(hands.map(lambda one: stop(one, within=DRAIN_SECONDS), ran))
        if self._ledger.processes:
            self._ledger.processes.clear()
            self._ledger.complete = False
            self._ledger.write()
        return stop_servers(self.root, self.options.instance) or bool(ran)

    def kill(self, name: str) -> None:
        """End a part as the kernel does: no farewell."""
        process = self.process(name)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # each part leads a group of its own
        if not wait_until(lambda: not process.is_running(), within=DRAIN_SECONDS):
            raise StackFailed(f"{name} survived SIGKILL")

    def end(self, name: str) -> None:
        """End a part as an orchestrator does, and wait until it has drained."""
        stop(self.process(name), within=DRAIN_SECONDS)

    def drop(self, name: str) -> None:
        """End a part and forget it, so that the stack is whole without it."""
        self.end(name)
        del self._ledger.processes[name], self._ledger.ports[name]
        self._ledger.write()

    def process(self, name: str) -> Launched:
        """A part's process as it was started last."""
        return self._ledger.processes[name]

    def start_replicas(self, replicas: Iterable[Replica]) -> None:
        """Start processes of services (again, or besides) and wait until they are ready."""
        chosen = list(replicas)
        missing = [replica.name for replica in chosen if replica.name not in self._ledger.ports]
        self._ledger.ports.update(zip(missing, free_ports(len(missing)), strict=True))
        for replica in chosen:
            command = f"{replica.service} {replica.command}"
            self._rows.working(replica.name, command)
            environment = self.layout.environment(replica)
            self._launch(replica.name, self.layout.command(replica), environment)
        for replica in chosen:
            self._await(replica.name, "/health/ready")

    def _servers(self) -> Servers:
        self._rows.working("servers", "PostgreSQL and RabbitMQ")

        def tell(line: str) -> None:
            name, _, about = line.partition(" ")
            self._rows.ready(name, about)

        servers = start_servers(
            self.root, self.options.instance, given=self.options.given, report=tell
        )
        self._rows.ready("servers", "on loopback, of this instance only")
        return servers

    def _prepare(self, servers: Servers) -> None:
        self._ledger = StackLedger(self.folder / "stack.json")
        names = [SANDBOX, *(replica.name for replica in self.options.replicas)]
        self._ledger.ports.update(zip(names, free_ports(len(names)), strict=True))
        self._layout = self._layout_of(servers)
        for path in (self.layout.log("any"), self.layout.witness, self.layout.recordings / "any"):
            path.parent.mkdir(parents=True, exist_ok=True)
        for part, prepare, told in (
            ("database", prepare_database, f"{self.layout.database}: roles, schemas, migrations"),
            ("topology", prepare_broker, f"{self.layout.vhost}: exchanges, queues, bindings"),
        ):
            self._rows.working(part, told)
            prepare(self.layout)
            self._rows.ready(part, told)

    def _layout_of(self, servers: Servers) -> Layout:
        credentials = credentials_in(self.folder / "secrets.json")
        return Layout(self.folder, self.options, servers, credentials, self._ledger.ports)

    def _start_sandbox(self) -> None:
        self._rows.working(SANDBOX, "stands in for Twilio and Meta")
        layout = self.layout
        self._launch(SANDBOX, layout.sandbox_command(), layout.sandbox_environment())
        self._await(SANDBOX, "/healthz")

    def _launch(self, name: str, command: list[str], environment: dict[str, str]) -> None:
        process = launch(
            name, command, folder=self.root, log=self.layout.log(name), environment=environment
        )
        self._ledger.launched(name, process)

    def _await(self, name: str, path: str) -> None:
        process, url = self.process(name), self.layout.url(name)
        web = Web(url, seconds=_LOOK_SECONDS)

        def answers() -> bool:
            try:
                return web.ask("GET", path).status == 200
            except OSError:
                return False

        wait_until(lambda: answers() or not process.is_running(), within=READY_SECONDS)
        if process.is_running() and answers():
            self._rows.ready(name, url)
            return
        why = "is not ready" if process.is_running() else "ended"
        self._rows.failed(name, why)
        raise StackFailed(f"{name} {why}; {self.layout.log(name)} ends with:\n{self._last(name)}")

    def _last(self, name: str) -> str:
        log = self.layout.log(name)
        lines = log.read_text(errors="replace").splitlines() if log.exists() else []
        return "\n".join(f"  {line[:400]}" for line in lines[-_LAST_LINES:])
