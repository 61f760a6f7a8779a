"""Named places where a fault test may strike a real process; nothing at all otherwise.

`TRUNKLINE_FAILPOINTS="relay.published=kill"` kills at the first pass, `…=kill@3` at the third.
`TRUNKLINE_FAILPOINTS=/a/file.json` names a file `{"laboratory": "host:port", "orders": "…"}` that
is looked at again at every pass, so that a running process can be given another order. Before it
carries one out the process asks the laboratory, and waits for its word: it is there that the
database or the broker is cut off, exactly then. docs/failpoints.md lists the places.
"""

from __future__ import annotations

import json
import os
import signal
import socket
from pathlib import Path
from typing import Final

VARIABLE: Final = "TRUNKLINE_FAILPOINTS"
ACTIONS: Final = frozenset({"kill", "stop", "raise", "database_gone", "broker_gone"})
ELSEWHERE: Final = frozenset({"database_gone", "broker_gone"})  # done by the laboratory alone
WORD_SECONDS: Final = 30.0  # for the laboratory to answer
GO: Final = "go"


class FailpointReached(RuntimeError):
    """What `raise` raises."""


class Failpoints:
    """The orders of one environment, and how often each place has been passed since it had one."""

    def __init__(self, orders: str, laboratory: str | None = None) -> None:
        self._laboratory = laboratory
        self._orders = {}
        for order in filter(None, (part.strip() for part in orders.split(","))):
            name, _, what = order.partition("=")
            action, _, at = what.partition("@")
            if action not in ACTIONS or (action in ELSEWHERE and laboratory is None):
                raise ValueError(f"{VARIABLE}: {order!r} is not name={'|'.join(sorted(ACTIONS))}")
            self._orders[name] = (action, int(at or 1))
        self._passed: dict[str, int] = {}

    def reach(self, name: str) -> None:
        """Pass this place; the order for its n-th passing is carried out."""
        if name not in self._orders:
            return
        action, at = self._orders[name]
        self._passed[name] = self._passed.get(name, 0) + 1
        if self._passed[name] != at:
            return
        if self._laboratory is not None and _word(self._laboratory, name, action) != GO:
            return  # another process was there first
        if action == "raise":
            raise FailpointReached(name)
        if action == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if action == "stop":
            os.kill(os.getpid(), signal.SIGSTOP)


class OrdersInFile:
    """Orders that change while the process runs: the file is read anew whenever it has changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._written = -1
        self._points = Failpoints("")

    def reach(self, name: str) -> None:
        """Pass this place under the orders of now."""
        written = self._path.stat().st_mtime_ns
        if written != self._written:
            self._written = written
            content = json.loads(self._path.read_text())
            self._points = Failpoints(content["orders"], content["laboratory"])
        self._points.reach(name)


def _word(laboratory: str, name: str, action: str) -> str:
    """Tell that a place is reached, and wait for the answer: the whole process does, like a pause.

    A laboratory that is gone has no more wishes.
    """
    host, _, port = laboratory.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=WORD_SECONDS) as line:
            told = {"name": name, "action": action, "pid": os.getpid()}
            line.sendall(json.dumps(told).encode() + b"\n")
            return line.recv(64).decode().strip()
    except OSError:
        return ""


def _of_environment(orders: str) -> Failpoints | OrdersInFile | None:
    if not orders:
        return None
    return OrdersInFile(Path(orders)) if orders.startswith("/") else Failpoints(orders)


_points: Final = _of_environment(os.environ.get(VARIABLE, ""))
ARMED: Final = _points is not None


def failpoint(name: str) -> None:
    """A place that a fault test can name."""
    if _points is not None:
        _points.reach(name)
