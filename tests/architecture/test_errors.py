"""Errors are few and drawn: the docstring of their module names each of them in a tree."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from tests.architecture.sources import programs, shown, tree

MODULES = [
    path
    for path in programs()
    if shown(path).startswith(("libs/", "services/"))
    and (path.name == "errors.py" or path.parts[-2:] == ("trunkline_common", "outcomes.py"))
]


def undrawn(module: ast.Module) -> list[str]:
    """Error classes that the docstring's tree lacks; the tree itself if it has none."""
    drawing = ast.get_docstring(module) or ""
    if "└──" not in drawing:
        return ["a tree"]
    return [
        node.name
        for node in module.body
        if isinstance(node, ast.ClassDef) and node.bases and node.name not in drawing
    ]


def test_there_are_modules_to_look_at() -> None:
    assert MODULES


@pytest.mark.parametrize("path", MODULES, ids=shown)
def test_each_error_is_in_the_tree(path: Path) -> None:
    assert undrawn(tree(path)) == []


def test_an_error_outside_the_tree_is_seen() -> None:
    drawn = "'''Errors.\n\nRoot\n└── Busy\n'''\nclass Busy(Exception): ...\n"

    assert undrawn(ast.parse(drawn)) == []
    assert undrawn(ast.parse(drawn + "class Late(Exception): ...")) == ["Late"]
    assert undrawn(ast.parse("class Late(Exception): ...")) == ["a tree"]
