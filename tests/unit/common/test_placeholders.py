"""Gaps in texts: found, filled once, and never executed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline_common.placeholders import filled, gaps_in, is_well_formed


def test_gaps_are_found_once_and_filled_everywhere() -> None:
    text = "{{a}} and {{ b }}, {{a}} {c} {{größe}}"
    assert gaps_in(text) == ["a", "b", "größe"]
    assert filled(text, {"a": "1", "b": "2", "größe": "3"}) == "1 and 2, 1 {c} 3"


def test_a_value_is_never_read_for_gaps() -> None:
    assert filled("{{a}}{{b}}", {"a": "{{b}}", "b": "x"}) == "{{b}}x"


def test_a_gap_without_a_value_stays() -> None:
    assert filled("{{a}} {{b}}", {"b": "x"}) == "{{a}} x"


@pytest.mark.parametrize(
    "text",
    ["{{", "}}", "{{}}", "{{a b}}", "{{a.b}}", "{{a|upper}}", "{{{{a}}", "{% if a %}{{", "{{a()}}"],
)
def test_braces_without_a_name_are_told(text: str) -> None:
    assert not is_well_formed(text)


@pytest.mark.parametrize("text", ["", "{a}", "{{a}}", "{{a}}{{ b }}", "{{{a}}}", "{ {a} }"])
def test_named_gaps_and_single_braces_are_fine(text: str) -> None:
    assert is_well_formed(text)


@given(st.text(), st.dictionaries(st.from_regex(r"\A\w{1,8}\Z"), st.text()))
def test_any_text_can_be_filled(text: str, values: dict[str, str]) -> None:
    if not gaps_in(text):
        assert filled(text, values) == text
