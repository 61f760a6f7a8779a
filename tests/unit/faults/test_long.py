"""The long form's arithmetic: who is killed, what the dead held, when ends differ, what is kept."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

from tests.faults.long.deaths import Death, Seen
from tests.faults.long.killing import SHARES, blows
from tests.faults.long.report import spoken
from tests.faults.long.results import Result, percentiles
from tests.faults.long.tellings import WAYS, Batch, Row, Telling, _ends


def seen(
    fresh: dict[str, str], held: dict[str, set[str]], in_doubt: frozenset[str] = frozenset()
) -> Seen:
    return Seen(fresh, {*fresh, *in_doubt}, held, {"outbound": {"outbound1"}}, {"evt_1"})


def test_a_hundred_kills_are_mixed_as_the_shares_say_and_the_same_for_a_seed() -> None:
    first, again, other = (blows(100, random.Random(seed)) for seed in (1, 1, 2))

    assert first == again
    assert first != other
    parts = Counter(blow.part for blow in first)
    assert parts["dispatch"] == 44
    assert parts.total() == sum(share for share, _, _ in SHARES) == 100


def test_what_a_dead_worker_held_is_taken_over_when_nothing_is_as_it_was() -> None:
    death = Death("dispatch", "outbound-dispatch-1", 77, "SIGKILL", 0.0)
    then = seen({"a1": "5", "a2": "6"}, {"77": {"c5"}, "78": {"c6"}})
    death.attempts, death.things = then.of(death)

    assert (death.attempts, death.things) == ({"a1"}, {"c5"})
    assert then.left(death) == ({"a1", "c5"}, {"a1"})
    taken_over = seen({"a2": "6"}, {"78": {"c5", "c6"}}, frozenset({"a1"}))
    assert taken_over.left(death) == (set(), {"a1"})
    assert seen({"a2": "6"}, {}).left(death) == (set(), set())


def test_of_a_relay_its_claimed_facts_count_and_of_reconcile_what_is_not_folded() -> None:
    now = seen({}, {})

    assert now.of(Death("relay", "outbound-relay", 1, "", 0.0))[1] == {"outbound1"}
    assert now.of(Death("reconcile", "outbound-reconcile", 1, "", 0.0))[1] == {"evt_1"}
    assert now.of(Death("consume", "outbound-consume", 1, "", 0.0))[1] == set()


def test_two_ends_of_one_way_are_found() -> None:
    way = next(iter(WAYS))
    batch = Batch([Telling(way, way, 0), Telling(way, way[::-1], 0)], frozenset())
    row: Row = ("completed", True, 12)

    assert list(_ends([(*row, 1), (*row, 2)], batch)) == []
    assert list(_ends([(*row, 1), ("ringing", True, 12, 2)], batch))
    assert list(_ends([(*row, 1)], batch))


def test_a_part_goes_on_where_it_was_broken_off(tmp_path: Path) -> None:
    first = Result.resumed("kills", 7, folder=tmp_path)
    first.add({"jobs": 5}, [])
    first.add({"jobs": 5}, ["somebody was reached twice"])
    resumed = Result.resumed("kills", 7, folder=tmp_path)

    assert resumed.rounds == [{"jobs": 5}]
    assert not resumed.problems
    assert Result.resumed("kills", 8, folder=tmp_path).rounds == []


def test_percentiles_are_of_what_was_measured() -> None:
    assert percentiles([]) == {}
    assert percentiles([1.0] * 98 + [5.0, 9.0]) == {"p50": 1.0, "p99": 9.0, "max": 9.0}
    assert spoken({"in_window": 1200, "ready": {"p50": 1.5}}) == "in window 1,200; ready (p50 1.5)"
