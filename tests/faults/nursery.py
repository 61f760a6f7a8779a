"""Run as a program: one service with everything imported, that forks its processes when asked.

A process begun this way is what `python -m trunkline_<service>` is, and is ready a second or two
sooner: the laboratory starts hundreds. Orders are lines of JSON on standard input; the answer is
the pid. Whoever is left is killed when the input ends.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import runpy
import signal
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from trunkline_common.broker.hints import Hints
from trunkline_common.db.wake import Waker

DEAF: Final = "FAULTS_DEAF"  # no hint is given or heard: everything is found by looking


def main(service: str) -> None:
    """Serve until the input ends."""
    importlib.import_module(f"trunkline_{service}.app")
    if os.environ.pop(DEAF, ""):
        _deafen()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them: no zombies
    gc.freeze()
    pids = []
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            _become(service, json.loads(line))
        pids.append(pid)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()
    for pid in filter(_is_child, pids):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _is_child(pid: int) -> bool:
    """After thousands of ends a number may be another's: ours is only whom we have begun."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return False
    return fields[1] == str(os.getpid())


def _break(service: str, name: str) -> None:
    """Leave a rule out, in whichever service has it: the laboratory is tested, too."""
    if not name:
        return
    from tests.integration.common import test_fabric_catches
    from tests.integration.outbound import plants

    swaps = [swap for plant in plants.PLANTS if plant.name == name for swap in plant.swaps]
    swaps += [plant.swap for plant in test_fabric_catches.PLANTS if plant.name == name]
    for swap in swaps:
        if swap.module.__name__.startswith((f"trunkline_{service}.", "trunkline_common.")):
            swap.apply(pytest.MonkeyPatch())


def _deafen() -> None:
    """Lose every hint, between processes and within one, by NOTIFY and over the broker."""

    def lost(waker: Waker, channel: str) -> None:
        return None

    async def not_said(hints: Hints, link: object, text: str) -> bool:
        return False

    swaps = pytest.MonkeyPatch()
    swaps.setattr(Waker, "_ring", lost)
    swaps.setattr(Waker, "wake", lost)
    swaps.setattr(Hints, "publish", not_said)


def _become(service: str, order: dict[str, Any]) -> None:
    os.setsid()
    _break(service, order["plant"])
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for here, there in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(here, there)
    os.environ.clear()
    os.environ.update(order["environment"])
    sys.argv = [f"trunkline_{service}", order["command"]]
    try:
        runpy.run_module(f"trunkline_{service}", run_name="__main__", alter_sys=True)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1])
