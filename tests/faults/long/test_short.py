"""Each part of the long form, small: so that it cannot rot between releases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import pytest
from tests.faults.long import callbacks, cancel, database, hints, kills, terms, timeouts
from tests.faults.long.results import Result
from tests.faults.long.times import UNSCALED
from tests.faults.long.yard import Yard
from tests.faults.plan import SETTINGS

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(SETTINGS.only not in "parts", reason="ONLY names something else"),
]
SHORT: Final[dict[str, Callable[[Yard, Result], None]]] = {
    "kills": lambda yard, result: kills.play(yard, result, kills.SHORT),
    "database": lambda yard, result: database.play(yard, result, database.SHORT),
    "timeouts": lambda yard, result: timeouts.play(yard, result, timeouts.SHORT),
    "cancel": lambda yard, result: cancel.play(yard, result, cancel.SHORT),
    "terms": lambda yard, result: terms.play(yard, result, terms.SHORT),
    "callbacks": lambda yard, result: callbacks.play(yard, result, callbacks.SHORT),
}


@pytest.fixture(scope="module")
def yard() -> Iterator[Yard]:
    """One for all of them."""
    with Yard.open(f"{SETTINGS.instance}-parts") as opened:
        yield opened


@pytest.mark.parametrize("part", SHORT)
def test_a_part_holds(yard: Yard, part: str) -> None:
    result = Result(part, SETTINGS.seed)
    SHORT[part](yard, result)
    assert not result.problems, [*result.problems, f"SEED={result.seed}"]


def test_without_any_hint_everything_is_found() -> None:
    result = Result("hints", SETTINGS.seed)
    with Yard.open(f"{SETTINGS.instance}-deaf", UNSCALED, deaf=True) as deaf:
        hints.play(deaf, result, hints.SHORT)
    assert not result.problems, [*result.problems, f"SEED={result.seed}"]
