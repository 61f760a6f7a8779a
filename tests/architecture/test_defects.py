"""Every defect of the previous system's calls, and every trap of others, has a test that exists."""

from __future__ import annotations

import pytest
from tests.architecture.defects import DEFECTS, ELSEWHERE, PAGE, TRAPS, held, renewed

HELD = [key for key in (*DEFECTS, *TRAPS) if key not in ELSEWHERE]


@pytest.mark.parametrize("key", HELD)
def test_it_is_held(key: str) -> None:
    assert held().get(key)


def test_no_mark_names_what_is_not_listed() -> None:
    assert set(held()) == set(HELD)


def test_the_page_names_the_tests() -> None:
    text = PAGE.read_text()
    assert renewed(text) == text, "run `python -m tests.architecture.defects`"
    assert all(f"`{test}`" in text for tests in held().values() for test in tests)


@pytest.mark.parametrize("key", ELSEWHERE)
def test_what_is_not_held_says_why(key: str) -> None:
    _, _, why = PAGE.read_text().partition("## Not held here")
    assert f"| {key} | " in why
