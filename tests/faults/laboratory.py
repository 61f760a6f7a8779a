"""The laboratory that processes ask when they reach a failpoint: it strikes, and heals again."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import threading
from collections.abc import Coroutine, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from tests.faults.links import Link
from tests.faults.points import Cell

from trunkline_common.failpoints import GO
from trunkline_dev.servers.ports import LOOPBACK

_SECONDS: Final = 20.0


class Roll(Protocol):
    """Who runs: the laboratory asks it who a process is, and which links that one has."""

    def name_of(self, pid: int) -> str: ...

    def links(self, name: str) -> dict[str, Link]: ...


@dataclass(slots=True)
class Strike:
    """One cell that is armed: at the n-th pass, for so many seconds. `at` is who was struck."""

    cell: Cell
    nth: int
    seconds: float
    at: str | None = None
    pid: int = 0  # of whom was struck
    reached: threading.Event = field(default_factory=threading.Event)

    def __str__(self) -> str:
        about = f"{self.cell}@{self.nth}"
        return about if self.cell.action in {"kill", "raise"} else f"{about}, {self.seconds:g} s"


class Laboratory:
    """Listens on a thread of its own. Orders lie in a file for each service."""

    def __init__(self, folder: Path, roll: Roll) -> None:
        self._folder = folder
        self._roll = roll
        self._armed: list[Strike] = []
        self._loop = asyncio.new_event_loop()
        self._address = ""
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def open(self) -> Iterator[Laboratory]:
        """Listen, until the block ends."""
        self._folder.mkdir(parents=True, exist_ok=True)
        thread = threading.Thread(target=self._loop.run_forever, name="laboratory")
        thread.start()
        try:
            server = self.do(asyncio.start_server(self._hear, LOOPBACK, 0))
            self._address = f"{LOOPBACK}:{server.sockets[0].getsockname()[1]}"
            yield self
            self.do(_close(server))
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join(timeout=_SECONDS)
            self._loop.close()

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Do something on the laboratory's thread."""
        done: Future[Any] = asyncio.run_coroutine_threadsafe(work, self._loop)
        return done.result(timeout=_SECONDS)

    def orders(self, service: str) -> Path:
        """The file that processes of this service look at."""
        path = self._folder / f"{service}.json"
        if not path.exists():
            self._write(service)
        return path

    def arm(self, strikes: Sequence[Strike]) -> None:
        """From now on these places are struck, each once."""
        with self._lock:
            self._armed = list(strikes)
        for service in sorted({strike.cell.point.service for strike in strikes}):
            self._write(service)

    def disarm(self) -> None:
        """Nothing is struck any more."""
        services = {strike.cell.point.service for strike in self._armed}
        with self._lock:
            self._armed = []
        for service in sorted(services):
            self._write(service)

    def _write(self, service: str) -> None:
        with self._lock:
            orders = [
                f"{one.cell.point.name}={one.cell.action}@{one.nth}"
                for one in self._armed
                if one.cell.point.service == service and one.at is None
            ]
        content = {"laboratory": self._address, "orders": ",".join(orders)}
        draft = self._folder / f"{service}.draft"
        draft.write_text(json.dumps(content))
        draft.replace(self._folder / f"{service}.json")

    async def _hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        told = json.loads(await reader.readline())
        who = self._roll.name_of(told["pid"])
        strike = self._taken(told["name"], told["action"], who)
        if strike is not None:
            await self._carry_out(strike, told["pid"], who)
        writer.write((GO if strike else "no").encode() + b"\n")
        with contextlib.suppress(OSError):
            await writer.drain()
        writer.close()

    def _taken(self, name: str, action: str, who: str) -> Strike | None:
        """The armed strike that this is about; of several processes the first one gets it."""
        with self._lock:
            for strike in self._armed:
                cell = strike.cell
                wanted = (cell.point.service, cell.point.name, cell.action)
                if wanted == (service_of(who), name, action) and strike.at is None:
                    strike.at = who
                    break
            else:
                return None
        self._write(strike.cell.point.service)
        return strike

    async def _carry_out(self, strike: Strike, pid: int, who: str) -> None:
        strike.pid = pid
        strike.reached.set()
        action = strike.cell.action
        if action == "stop":
            self._loop.call_later(strike.seconds, _wake, pid)
        elif action in {"database_gone", "broker_gone"}:
            link = self._roll.links(who)[action.removesuffix("_gone")]
            await link.cut()
            self._loop.call_later(
                strike.seconds, lambda: asyncio.run_coroutine_threadsafe(link.open(), self._loop)
            )


def service_of(name: str) -> str:
    """The service of a process: `outbound-2` is outbound's."""
    return name.partition("-")[0]


async def _close(server: asyncio.Server) -> None:
    """Hear nobody any more, and end whatever is still carried."""
    server.close()
    carried = asyncio.all_tasks() - {asyncio.current_task()}
    for task in carried:
        task.cancel()
    if carried:
        await asyncio.wait(carried, timeout=_SECONDS)


def _wake(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)
