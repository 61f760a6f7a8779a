"""ARCHITECTURE.md's tables of metrics, spans and log lines, read from the code that says them.

`python -m trunkline_dev.names_tables` writes them; a test holds that they are current.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from trunkline_dev.checkout import checkout_root

FILE: Final = "ARCHITECTURE.md"
_KINDS: Final = {"Counter", "Gauge", "Histogram"}
_LEVELS: Final = {"debug", "info", "warning", "error", "exception", "critical"}
_SPANS: Final = {"span", "current_span", "start_span", "update_name"}
_LOG_NAME: Final = re.compile(r"[a-z_]+(\.[a-z_]+)+")

Row = tuple[str, ...]
Call = tuple[ast.Call, str, str, ast.AST]  # what is called by its last name, by whom, and around it


def _calls(root: Path) -> Iterator[tuple[str, Call]]:
    for folder in ("libs", "services"):
        for path in sorted((root / folder).rglob("src/**/*.py")):
            where = ".".join(path.with_suffix("").parts[path.parts.index("src") + 1 :])
            tree = ast.parse(path.read_text(encoding="utf-8"))
            for node, around in _walk(tree, tree):
                if isinstance(node, ast.Call) and node.args:
                    owner, _, name = ast.unparse(node.func).rpartition(".")
                    yield where.removeprefix("trunkline_"), (node, name, owner, around)


def _walk(node: ast.AST, around: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
    """Every node with the function that it stands in."""
    for child in ast.iter_child_nodes(node):
        inside = child if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) else around
        yield child, inside
        yield from _walk(child, inside)


def _text(node: ast.expr) -> str | None:
    """A text as written; what is put into it stands in angles, under the name it has there."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if not isinstance(node, ast.JoinedStr):
        return None
    parts = []
    for part in node.values:
        if isinstance(part, ast.Constant):
            parts.append(str(part.value))
        elif isinstance(part, ast.FormattedValue):
            words = re.findall(r"[A-Za-z_]+", ast.unparse(part.value))
            parts.append(f"<{words[-1] if words else '…'}>")
    return "".join(parts)


def metrics(root: Path) -> list[Row]:
    """Name, kind, labels and meaning of every figure."""
    rows = []
    for _, (call, name, _owner, _) in _calls(root):
        title = _text(call.args[0])
        if name in _KINDS and title and title.startswith("trunkline_"):
            labels = ast.literal_eval(call.args[2]) if len(call.args) > 2 else []
            shown = ", ".join(f"`{label}`" for label in labels)
            rows.append((f"`{title}`", name.lower(), shown, _text(call.args[1]) or ""))
    return sorted(rows)


def spans(root: Path) -> list[Row]:
    """Name and place of every span."""
    found: dict[str, set[str]] = defaultdict(set)
    for where, (call, name, _owner, _) in _calls(root):
        title = _text(call.args[0])
        if name in _SPANS and title:
            found[title].add(where)
    return [(f"`{title}`", _places(found[title])) for title in sorted(found)]


def logs(root: Path) -> list[Row]:
    """Name, level and place of every log line."""
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for where, (call, level, owner, around) in _calls(root):
        if owner != "log" or level not in _LEVELS:
            continue
        title = _text(call.args[0])
        for each in [title] if title else _names_in(around):
            found[each, level.replace("exception", "error")].add(where)
    return [
        (f"`{title}`", level, _places(places)) for (title, level), places in sorted(found.items())
    ]


def _names_in(around: ast.AST) -> list[str]:
    """The names that a function chooses from, where it logs what it chose."""
    texts = (node.value for node in ast.walk(around) if isinstance(node, ast.Constant))
    return [text for text in texts if isinstance(text, str) and _LOG_NAME.fullmatch(text)]


def _places(modules: set[str]) -> str:
    return ", ".join(f"`{module}`" for module in sorted(modules))


def tables(root: Path) -> dict[str, str]:
    """Each table with its marks, by its name."""
    return {
        "metrics": _table("metrics", ("metric", "kind", "labels", "what"), metrics(root)),
        "spans": _table("spans", ("span", "opened in"), spans(root)),
        "logs": _table("logs", ("line", "level", "said by"), logs(root)),
    }


def _table(name: str, heads: Row, rows: list[Row]) -> str:
    lines = [heads, tuple("---" for _ in heads), *rows]
    body = ["| " + " | ".join(line) + " |" for line in lines]
    return "\n".join([f"<!-- {name}: python -m trunkline_dev.names_tables -->", *body, _end(name)])


def _end(name: str) -> str:
    return f"<!-- /{name} -->"


def renewed(text: str, root: Path) -> str:
    """The document with its tables as the code has them now."""
    for name, table in tables(root).items():
        before, begin, rest = text.partition(f"<!-- {name}: ")
        _, end, after = rest.partition(_end(name))
        if begin and end:
            text = before + table + after
    return text


if __name__ == "__main__":
    document = checkout_root() / FILE
    document.write_text(renewed(document.read_text(encoding="utf-8"), checkout_root()))
