"""How a delivery may end: the whole policy as a table."""

from __future__ import annotations

import pytest

from trunkline_common.outcomes import Dead, Done, Refuse, RetryIn, Settlement, TryLater, settle


@pytest.mark.parametrize(
    ("error", "attempt", "expected"),
    [
        (None, 1, Done()),
        (None, 9, Done()),
        (TryLater("carrier down"), 1, RetryIn(5, "carrier down")),
        (TryLater("carrier down"), 2, RetryIn(60, "carrier down")),
        (TryLater("carrier down"), 3, Dead("gave up after 3 attempts: carrier down")),
        (Refuse("no such business"), 1, Dead("no such business")),
        (KeyError(), 2, RetryIn(60, "KeyError")),
    ],
)
def test_settle(error: Exception | None, attempt: int, expected: Settlement) -> None:
    assert settle(error, attempt=attempt, retry_after=(5, 60)) == expected
