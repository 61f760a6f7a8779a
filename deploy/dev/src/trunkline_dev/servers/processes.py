"""Servers as processes: started on their own, known by pid and birth, stopped by exactly that."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from trunkline_dev.servers.privileges import AS_WE_ARE, Privileges

_DETACHED = Path(__file__).with_name("detached.py")
_POLL_SECONDS = 0.05
_LAUNCH_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Launched:
    """A process we started. The birth tells it from a later one that was given the same pid."""

    name: str
    pid: int
    birth: str
    ends_on: str = signal.SIGTERM.name

    def is_running(self) -> bool:
        """Whether that very process is still there."""
        return birth_of(self.pid) == self.birth


def birth_of(pid: int) -> str | None:
    """When this process began, in words that only ever compare; None if it is gone."""
    stat = Path(f"/proc/{pid}/stat")
    if not Path("/proc/self/stat").exists():
        return _birth_by_ps(pid)
    try:
        fields = stat.read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    if fields[0] in "ZX":
        return None
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{boot}:{fields[19]}"


def _birth_by_ps(pid: int) -> str | None:
    listed = subprocess.run(
        ["ps", "-o", "lstart=", "-p", str(pid)],
        capture_output=True,
        text=True,
        check=False,
        timeout=_LAUNCH_SECONDS,
    )
    return listed.stdout.strip() or None


def launch(
    name: str,
    command: Sequence[str],
    *,
    folder: Path,
    log: Path,
    environment: Mapping[str, str],
    privileges: Privileges = AS_WE_ARE,
    ends_on: signal.Signals = signal.SIGTERM,
) -> Launched:
    """Start a server that outlives us; it has its own session and writes to its own log."""
    order = {
        "command": [*privileges.prefix, *command],
        "folder": str(folder),
        "log": str(log),
        "environment": dict(environment),
        "uid": privileges.uid,
        "gid": privileges.gid,
    }
    done = subprocess.run(
        [sys.executable, "-I", str(_DETACHED)],
        input=json.dumps(order),
        capture_output=True,
        text=True,
        check=False,
        timeout=_LAUNCH_SECONDS,
    )
    if done.returncode != 0:
        raise OSError(f"{name} could not be started: {done.stderr.strip().splitlines()[-1]}")
    pid = int(done.stdout)
    return Launched(name, pid, birth_of(pid) or "gone at once", ends_on.name)


def wait_until(fact: Callable[[], bool], *, within: float) -> bool:
    """Whether the fact came true before the deadline."""
    deadline = time.monotonic() + within
    pause = Event()
    while not fact():
        if time.monotonic() >= deadline:
            return False
        pause.wait(_POLL_SECONDS)
    return True


def stop(server: Launched, *, within: float) -> None:
    """End a server and what it started: ask first, insist after the deadline."""
    if not server.is_running():
        return
    _send(os.kill, server.pid, signal.Signals[server.ends_on])
    if not wait_until(lambda: not server.is_running(), within=within):
        # Nothing else can have this pid while its process lives, so the group is ours as well.
        _send(os.killpg, server.pid, signal.SIGKILL)
        wait_until(lambda: not server.is_running(), within=within)


def _send(send: Callable[[int, int], None], target: int, number: signal.Signals) -> None:
    try:
        send(target, number)
    except ProcessLookupError:
        return


def clean_environment(*forbidden: str) -> dict[str, str]:
    """Our environment without the variables, by prefix, that would steer the server elsewhere."""
    return {name: value for name, value in os.environ.items() if not name.startswith(forbidden)}
