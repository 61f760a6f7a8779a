"""Which node a person would restart, after a cut that did not heal by itself."""

import pytest
from tests.faults.cluster import least_seen


@pytest.mark.parametrize(
    ("seen", "alone"),
    [
        ({"a": "abc", "b": "abc", "c": "abc"}, []),
        ({"a": "a", "b": "bc", "c": "bc"}, ["a"]),
        ({"a": "abc", "b": "ab", "c": "c"}, ["c"]),
        ({"a": "ab", "b": "abc", "c": "bc"}, ["a"]),
        ({"a": "a", "b": "b", "c": "c"}, ["a", "b"]),
        ({"a": "", "b": "bc", "c": "bc"}, ["a"]),
    ],
    ids=["whole", "a split", "one way", "a pair", "nobody", "silent"],
)
def test_the_least_seen_are_restarted(seen: dict[str, str], alone: list[str]) -> None:
    assert least_seen({one: set(others) for one, others in seen.items()}) == alone
