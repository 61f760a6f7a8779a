"""Whose CPU time it was: processes with all that they started, by the kernel's own figures."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.stage import Stage

from trunkline_common.broker.management import Management
from trunkline_common.testing.facts import eventually

_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Tree:
    """A process and its living descendants; who ended counts with whoever waited for it."""

    cpu_seconds: float
    peak_mib: float


def tree(pid: int) -> Tree:
    """What they have used since they began; the peak is the sum of each one's own."""
    cpu, peak = 0.0, 0.0
    found = list(_stats())
    parents = {child: parent for child, parent, _ in found}
    for child, _, seconds in found:
        if _is_of(child, pid, parents):
            cpu += seconds
            peak += _peak_mib(child)
    return Tree(cpu, peak)


def _is_of(pid: int, root: int, parents: Mapping[int, int]) -> bool:
    while pid != root and pid in parents:
        pid = parents[pid]
    return pid == root


def _stats() -> Iterator[tuple[int, int, float]]:
    """Of every process: its id, its parent's, and its CPU seconds."""
    for folder in _PROC.iterdir():
        if folder.name.isdigit():
            try:
                fields = folder.joinpath("stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue  # it ended meanwhile
            ticks = sum(int(field) for field in fields[11:15])  # its own and its dead children's
            yield int(folder.name), int(fields[1]), ticks / os.sysconf("SC_CLK_TCK")


def _peak_mib(pid: int) -> float:
    try:
        lines = _PROC.joinpath(str(pid), "status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(one.split()[1]) / 1024 for one in lines if one.startswith("VmHWM:")), 0.0)


async def servers_of(stage: Stage, connection: Any) -> dict[str, int]:
    """The process ids of the servers that this benchmark stands on."""
    lines = await connection.fetchval("SELECT pg_read_file('postmaster.pid')")
    management = Management(stage.broker.management_url)

    async def known() -> Any:  # a node that has just begun does not tell its figures yet
        (node, *_) = management.call("GET", "nodes")
        return node.get("os_pid", False)

    broker = await eventually(known, within=60, what="the broker's process id")
    return {"database": int(lines.split()[0]), "broker": int(broker)}


def seconds_of(roots: Mapping[str, Iterable[int]]) -> dict[str, float]:
    """CPU seconds so far by the name of what used them."""
    return {name: sum(tree(pid).cpu_seconds for pid in pids) for name, pids in roots.items()}
