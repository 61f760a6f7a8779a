"""Named places where a test may kill, stop or fail a real process; nothing at all otherwise.

`TRUNKLINE_FAILPOINTS="relay.published=kill"` kills at the first pass, `…=kill@3` at the third.
"""

from __future__ import annotations

import os
import signal
from typing import Final

VARIABLE: Final = "TRUNKLINE_FAILPOINTS"


class FailpointReached(RuntimeError):
    """What `raise` raises."""


class Failpoints:
    """The orders of one environment, and how often each place has been passed."""

    def __init__(self, orders: str) -> None:
        self._orders: dict[str, tuple[str, int]] = {}
        for order in filter(None, (part.strip() for part in orders.split(","))):
            name, _, what = order.partition("=")
            action, _, at = what.partition("@")
            if action not in {"kill", "stop", "raise"}:
                raise ValueError(f"{VARIABLE}: {order!r} is not name=kill|stop|raise[@n]")
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
        if action == "raise":
            raise FailpointReached(name)
        os.kill(os.getpid(), signal.SIGKILL if action == "kill" else signal.SIGSTOP)


_of_environment = Failpoints(os.environ.get(VARIABLE, ""))


def failpoint(name: str) -> None:
    """A place that a fault test can name."""
    _of_environment.reach(name)
