"""What a soak looks at, again and again: memory, connections, tables, queues, and what is open."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final

from tests.faults.fleet import Fleet
from tests.faults.records import Records

Sample = dict[str, Any]
MIB: Final = 1024.0
GROWTH: Final = 1.2  # of a process's memory, from the second quarter of the time to the last one
ALLOWANCE: Final = 16.0  # MiB that are nothing
_TABLES: Final = """
SELECT schemaname || '.' || relname AS name, n_live_tup AS live, n_dead_tup AS dead,
       pg_total_relation_size(relid) AS bytes, autovacuum_count AS vacuumed
  FROM pg_stat_user_tables WHERE schemaname IN ('api', 'outbound', 'messaging', 'recordings')
"""
_SESSIONS: Final = """
SELECT application_name AS name, count(*) AS count FROM pg_stat_activity
 WHERE datname = current_database() AND application_name LIKE 'trunkline%' GROUP BY 1
"""


def memory(pid: int) -> float:
    """MiB of a process that are in memory; 0 if it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    lines = (line.split() for line in status.splitlines() if line.startswith("VmRSS:"))
    return next((round(int(words[1]) / MIB, 1) for words in lines), 0.0)


def take(fleet: Fleet, records: Records, began: float) -> Sample:
    """One look at everything."""
    tables, sessions = records.many([_TABLES, _SESSIONS])
    return {
        "second": round(time.monotonic() - began, 1),
        "memory_mib": {name: memory(pid) for name, pid in fleet.pids().items()},
        "database_connections": {row["name"]: row["count"] for row in sessions},
        "broker_connections": fleet.connections("broker"),
        "tables": {row.pop("name"): row for row in map(dict, tables) if row["live"] or row["dead"]},
        "queued": records.queued(),
        "under_way": records.left_over(),
    }


def quarters(samples: Sequence[Sample], figure: Callable[[Sample], float]) -> tuple[float, float]:
    """The median of a figure in the second quarter of the time, and in the last one."""
    quarter = max(1, len(samples) // 4)
    return (
        median(map(figure, samples[quarter : 2 * quarter] or samples)),
        median(map(figure, samples[-quarter:])),
    )


def growing(samples: Sequence[Sample]) -> list[str]:
    """What became more and should not have, in words: memory and connections."""
    found = []
    for name in samples[-1]["memory_mib"]:
        before, after = quarters(samples, lambda one: _of(one["memory_mib"], name))  # noqa: B023
        if after > GROWTH * before + ALLOWANCE:
            found.append(f"{name} has {after:.0f} MiB and had {before:.0f}")
    for kind in ("database_connections", "broker_connections"):
        before, after = quarters(samples, lambda one: sum(one[kind].values()))  # noqa: B023
        if after > GROWTH * before:
            found.append(f"{after:g} {kind.replace('_', ' ')}, there were {before:g}")
    return found


def _of(figures: Mapping[str, float], name: str) -> float:
    return figures.get(name, 0.0)
