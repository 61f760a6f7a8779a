"""Failpoints are named in the code and listed in docs/failpoints.md, each once, and no other."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Final

import pytest
from tests.architecture.sources import ROOT, programs, shown, tree
from tests.faults.points import OF_MONTHS, POINTS

PAGE: Final = (ROOT / "docs" / "failpoints.md").read_text()
# The two that carry names on; everybody else says one.
MACHINERY: Final = {
    "libs/common/src/trunkline_common/failpoints.py",
    "libs/common/src/trunkline_common/db/transaction.py",
}
NAME: Final = re.compile(r"(relay|consumer|send|api|outbound|messaging|recordings)(\.[a-z_]+)")


def listed(head: str) -> list[str]:
    """The first cells of the page's table with this first head."""
    found = re.search(rf"^\| {head} \|.*\n\| ---.*\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    assert found, head
    return re.findall(r"^\| `([^`]+)`", found[1], re.MULTILINE)


def calls(function: str, argument: int) -> Iterator[tuple[str, ast.expr]]:
    """Every call of a function in what is shipped: where, and the argument that is its name."""
    for path in programs():
        if shown(path) in MACHINERY:
            continue
        for node in ast.walk(tree(path)):
            match node:
                case ast.Call(func=ast.Name(id=name)) if name == function:
                    yield f"{shown(path)}:{node.lineno}", node.args[argument]


@pytest.mark.parametrize(
    ("function", "argument", "head"),
    [("failpoint", 0, "place"), ("name_commit", 1, "commit")],
)
def test_every_name_is_on_the_page_and_no_other(function: str, argument: int, head: str) -> None:
    found = list(calls(function, argument))

    names = [str(name.value) for _, name in found if isinstance(name, ast.Constant)]
    assert len(names) == len(found), "a name is written out where it is said"
    assert not [name for name in names if not NAME.fullmatch(name)]
    assert sorted(names) == sorted(listed(head))


def test_the_matrix_strikes_every_one_that_a_campaign_passes() -> None:
    struck = [name for name in listed("commit") if name not in OF_MONTHS]
    commits = [f"{name}.{side}_commit" for name in struck for side in ("before", "after")]

    assert set(OF_MONTHS) <= set(listed("commit"))
    assert {point.name for point in POINTS} == {*listed("place"), *commits}


def test_there_are_enough() -> None:
    assert len(listed("place")) + 2 * len(listed("commit")) >= 25
