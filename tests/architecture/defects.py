"""Which tests say that they hold a defect or a trap, read from their marks; and the page about it.

`python -m tests.architecture.defects` writes the table of docs/defects.md anew.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from tests.architecture.sources import ROOT, modules_of_tests, tree

PAGE: Final = ROOT / "docs" / "defects.md"
_TABLE: Final = re.compile(r"(<!-- held: .*? -->\n).*?(<!-- /held -->)", re.DOTALL)

# The rows about calls of the previous system's report; what is not built yet has no test to name.
DEFECTS: Final = tuple(
    f"D-{number:02}" for number in (*range(1, 7), *range(18, 29), 55, *range(57, 61), 63, 64, 73)
)
TRAPS: Final = (
    "cursor at fetch",
    "rate limit as failure",
    "pause overwritten",
    "counters read and written",
    "duplicate guard by time",
    "results after the batch",
    "reclaim at start only",
    "commit then publish",
    "events without a store",
    "slot over a restart",
    "sweep to retryable",
    "invalid zone allowed",
    "retry budgets that add up",
    "callbacks early or never",
)
ELSEWHERE: Final = ("D-22", "D-25", "D-56", "D-61", "D-62", "webhook body rebuilt")


def held() -> Mapping[str, list[str]]:
    """The tests that hold each id, as `file::test`."""
    found: dict[str, list[str]] = {}
    for path in modules_of_tests():
        for test, key in _marks(tree(path)):
            found.setdefault(key, []).append(f"{path.relative_to(ROOT)}::{test}")
    return found


def _marks(module: ast.Module) -> Iterator[tuple[str, str]]:
    for node in module.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for mark in node.decorator_list:
                if isinstance(mark, ast.Call) and ast.unparse(mark.func) in (
                    "pytest.mark.defect",
                    "pytest.mark.trap",
                ):
                    yield node.name, ast.literal_eval(mark.args[0])


def renewed(page: str) -> str:
    """The page with a table that says what the marks say."""
    tests = held()
    lines = ["| what | test |\n", "| --- | --- |\n"]
    for key in (*DEFECTS, *TRAPS):
        shown = "<br>".join(f"`{test}`" for test in sorted(tests.get(key, ())))
        if key not in ELSEWHERE:
            lines.append(f"| {key} | {shown} |\n")
    return _TABLE.sub(lambda match: match[1] + "".join(lines) + match[2], page)


def write(page: Path = PAGE) -> None:
    """Write the table of the page anew."""
    page.write_text(renewed(page.read_text()))


if __name__ == "__main__":
    write()
