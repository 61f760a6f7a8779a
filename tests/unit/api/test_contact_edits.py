"""Entity tags as RFC 9110 has them, and merge patches as RFC 7396 does."""

from __future__ import annotations

from typing import Any

import pytest

from trunkline_api.domain.edits import edited
from trunkline_api.domain.etags import etag, if_match

NOW: dict[str, Any] = {
    "name": "Ada",
    "first_name": None,
    "last_name": None,
    "email": "a@example.com",
    "country": "DE",
    "language": None,
    "time_zone": None,
    "tags": ["a"],
    "variables": {"x": "1", "y": "2"},
}


@pytest.mark.parametrize(
    "header",
    [
        None,
        "*",
        " * ",
        etag(3),
        '"v2", "v3"',
        '"v2","v3"',
        'W/"v9" , "v3"',
        '"", "v3"',
        '"a,b","v3"',
    ],
)
def test_these_let_version_3_be_changed(header: str | None) -> None:
    assert if_match(header, 3)


@pytest.mark.parametrize(
    "header",
    [
        "",
        etag(2),
        etag(33),
        'W/"v3"',
        "v3",
        '"v3',
        'v3"',
        '"v2" "v3"',
        'w/"v3"',
        "3",
        '"v3" x',
        "*, *",
    ],
)
def test_these_do_not(header: str) -> None:
    assert not if_match(header, 3)


def test_what_is_not_named_stays_and_null_clears() -> None:
    assert edited(NOW, {}) == {}
    assert edited(NOW, {"name": None, "language": "de"}) == {"name": None, "language": "de"}


def test_what_is_the_same_is_no_change() -> None:
    assert edited(NOW, {"name": "Ada", "tags": ["a", "a"], "variables": {"x": "1"}}) == {}


def test_tags_are_replaced_and_variables_merged() -> None:
    assert edited(NOW, {"tags": ["b", "a", "b"]}) == {"tags": ["a", "b"]}
    assert edited(NOW, {"tags": None, "variables": None}) == {"tags": [], "variables": {}}
    assert edited(NOW, {"variables": {"x": None, "z": "3"}}) == {"variables": {"y": "2", "z": "3"}}
