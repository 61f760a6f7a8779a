"""Problem types are promised: each that the public API can answer is documented, and no other."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.sources import ROOT, programs, shown, tree

DOCUMENTED = ROOT / "docs" / "problems.md"
_ROW = re.compile(r"^\| `([a-z-]+)` \| (\d{3}) \| [^|]+ \| [^|]+ \|$", re.MULTILINE)
_FROM_HERE = ("services/api/", "libs/common/src/trunkline_common/http/")
# Whoever calls these names a type; the status that goes with it, and which argument it is.
_BY_NAME = {"conflict": (409, 0), "unreadable": (422, 0), "Unreadable": (422, 0)}
_PHRASES = {("not-found", 404), ("method-not-allowed", 405), ("content-too-large", 413)}
_PASSED_ON = {"slug", "type_slug", "error.slug", "_slug(faults)"}  # named by whoever calls
_OWN_TYPE = "problem:"


def _slug(call: ast.Call, place: int) -> str | None:
    """The type that a call names; None where it passes on what it was given."""
    if len(call.args) <= place:
        return None
    node = call.args[place]
    if isinstance(node, ast.Constant):
        return str(node.value)
    assert ast.unparse(node) in _PASSED_ON, f"line {node.lineno}: name the type here"
    return None


def types_in(module: ast.Module) -> Iterator[tuple[str, int]]:
    """(type, status) of every problem that a module makes."""
    for call in (node for node in ast.walk(module) if isinstance(node, ast.Call)):
        name = ast.unparse(call.func).rpartition(".")[2]
        if name == "Problem" and isinstance(call.args[0], ast.Constant):
            status, place = int(str(call.args[0].value)), 1
        elif name in _BY_NAME:
            status, place = _BY_NAME[name]
        elif name == "PydanticCustomError":
            status, place = 422, 0
        else:
            continue
        slug = _slug(call, place)
        if slug is not None:
            yield slug.removeprefix(_OWN_TYPE), status


def _sources() -> list[Path]:
    return [path for path in programs() if shown(path).startswith(_FROM_HERE)]


def test_every_problem_is_documented_with_its_status_and_no_other() -> None:
    made = {found for path in _sources() for found in types_in(tree(path))} | _PHRASES
    listed = [(slug, int(status)) for slug, status in _ROW.findall(DOCUMENTED.read_text())]

    assert sorted(listed) == listed, "in the order of the alphabet, each once"
    assert set(listed) == made


def test_a_problem_is_seen_wherever_it_is_made() -> None:
    module = ast.parse(
        "raise Problem(418, 'teapot', 'Short and stout')\n"
        "raise errors.conflict('too-hot', why)\n"
        "raise Unreadable('import-cold', why)\n"
        "PydanticCustomError('problem:no-tea', 'none left')\n"
        "Problem(error.status_code, slug, phrase)\n"
    )
    assert list(types_in(module)) == [
        ("teapot", 418), ("too-hot", 409), ("import-cold", 422), ("no-tea", 422),
    ]  # fmt: skip
