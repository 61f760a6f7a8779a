"""What a soak says of its samples: what grows is named, what only goes up and down is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.faults.plot_soak import lines
from tests.faults.samples import growing
from tests.faults.soak import table


def samples(
    mib: Callable[[int], float] = lambda _: 100.0, sessions: Callable[[int], int] = lambda _: 8
) -> list[dict[str, Any]]:
    return [
        {
            "second": 10.0 * at,
            "memory_mib": {"api": mib(at), "outbound": 120.0},
            "database_connections": {"trunkline_api": sessions(at)},
            "broker_connections": {"api": 3, "outbound": 5},
            "tables": {"api.calls": {"live": 10 * at, "dead": at % 7, "bytes": 8192}},
            "queued": {"api.projections": 4} if at == 5 else {},
            "under_way": {},
        }
        for at in range(40)
    ]


@pytest.mark.parametrize(
    "found",
    [
        samples(),
        samples(lambda at: 100 + 10 * (at % 3)),
        samples(lambda at: min(150, 50 + 20 * at)),
    ],
    ids=["still", "up and down", "warm after a while"],
)
def test_what_does_not_grow_is_not_named(found: list[dict[str, Any]]) -> None:
    assert growing(found) == []


def test_memory_and_connections_that_grow_are_named() -> None:
    [said] = growing(samples(lambda at: 100 + 4 * at))
    assert said == "api has 238 MiB and had 158"
    [said] = growing(samples(sessions=lambda at: 8 + at))
    assert said == "42.5 database connections, there were 22.5"


def test_the_table_has_both_quarters() -> None:
    rows = {row[0]: row[1:] for row in table(samples()).rows}

    assert rows["memory of outbound, MiB"] == ("120", "120")
    assert rows["live rows, all tables"] == ("145", "345")
    assert rows["messages in queues"] == ("0", "0")


def test_what_was_seen_once_has_a_whole_line() -> None:
    [(name, line)] = lines(samples(), "queued").items()

    assert (name, sum(line), len(line)) == ("api.projections", 4.0, 40)
