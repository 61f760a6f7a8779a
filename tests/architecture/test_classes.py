"""Composition, not towers: a class of ours stands on at most one other class of ours."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from pathlib import Path

from tests.architecture.sources import programs, tree

DEPTH = 2

# Not storeys of a tower: what events and answers are declared by (a configuration and nothing
# else), and the root that error trees hang from.
ROOTS = {"Event", "Asked", "Told", "TrunklineError"}
Bases = dict[str, tuple[str, ...]]


def bases_in(modules: Iterable[ast.Module]) -> Bases:
    """Each class by name with the classes it names, a `Protocol` aside."""
    found: Bases = {}
    for module in modules:
        for node in ast.walk(module):
            if isinstance(node, ast.ClassDef):
                bare = (ast.unparse(base).partition("[")[0] for base in node.bases)
                names = tuple(name.rpartition(".")[2] for name in bare)
                if "Protocol" not in names:
                    found[node.name] = names
    return found


def depth(name: str, known: Bases) -> int:
    """How many classes of ours stand one on the other, this one included."""
    own = (base for base in known[name] if base in known and base not in ROOTS)
    return 1 + max((depth(base, known) for base in own), default=0)


def test_a_tower_is_seen() -> None:
    module = ast.parse("class A: ...\nclass B(A): ...\nclass C(B): ...\nclass P(Protocol): ...")

    known = bases_in([module])

    assert {name: depth(name, known) for name in known} == {"A": 1, "B": 2, "C": 3}


def test_classes_are_at_most_two_deep() -> None:
    by_member: dict[str, list[Path]] = {}
    for path in programs():
        by_member.setdefault(path.parts[path.parts.index("src") + 1], []).append(path)
    shared = by_member["trunkline_common"]

    for paths in by_member.values():
        known = bases_in(tree(path) for path in {*paths, *shared})
        assert not [name for name in known if depth(name, known) > DEPTH]
