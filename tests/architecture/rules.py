"""Rules of the house as questions to a parsed module: each yields what breaks it, with its line."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from typing import Final

from trunkline_common.topology import layout

Rule = Callable[[ast.Module], Iterator[str]]

_MOMENTS: Final = {"now", "utcnow", "today", "monotonic", "perf_counter", "time_ns", "localtime"}
_DICE: Final = {"uuid1", "uuid4", "uuid7", "random", "randint", "choice", "shuffle", "urandom"}
_DICE_MODULES: Final = {"random", "secrets"}
_CUTS: Final = {"split", "rsplit", "partition", "rpartition", "removeprefix", "removesuffix"}
_NAMES_OF_MESSAGES: Final = re.compile(
    r"(\brouting_key\b|\bevent_name\b|\bevent\.name\b|\bmessage_type\b|\bqueue\.name\b|\bce_type\b)$"
)
_DOUBLES: Final = {"sleep", "MagicMock", "AsyncMock", "mocker", "create_autospec"}
_PHONES: Final = {"phone", "number", "to_number", "from_number", "msisdn", "recipient", "to"}
_WORDS: Final = frozenset(
    {"utils", "util", "helpers", "helper", "misc", "manager", "processor"}
    | {"base", "common", "core", "impl", "abstract"}
)

_LOG_NAME: Final = re.compile(r"[a-z_]+(\.[a-z_]+)+")

HANDLER_LINES: Final = 15
FUNCTION_LINES: Final = 40

_LAYOUT: Final = layout()
_FABRIC: Final = {e.name for e in _LAYOUT.exchanges} | {q.name for q in _LAYOUT.queues}
_FABRIC_STEM: Final = "trunkline."  # a name put together, as in f"trunkline.{service}"


def _at(node: ast.expr | ast.stmt, what: str) -> str:
    return f"line {node.lineno}: {what}"


def _called(node: ast.Call) -> str:
    """The last name of what is called: `a.b.c()` calls `c`."""
    match node.func:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
        case _:
            return ""


def _calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def ends_a_transaction(tree: ast.Module) -> Iterator[str]:
    """Rule 7. A savepoint is no end: what it holds commits with the block around it."""
    for call in _calls(tree):
        owner = ast.unparse(call.func).rpartition(".")[0]
        if _called(call) in {"commit", "begin"} and owner != "savepoint":
            yield _at(call, f"{owner}.{_called(call)}()")


def names_the_fabric(tree: ast.Module) -> Iterator[str]:
    """Rule 3: a queue or exchange is named in topology.py and nowhere else."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and node.value in _FABRIC:
            yield _at(node, repr(node.value))
        if isinstance(node, ast.JoinedStr) and node.values:
            first = node.values[0]
            if isinstance(first, ast.Constant) and str(first.value).startswith(_FABRIC_STEM):
                yield _at(node, ast.unparse(node))


def cuts_a_name(tree: ast.Module) -> Iterator[str]:
    """Rule 3: keys and event names are never parsed; the envelope has what is in them."""
    for call in _calls(tree):
        owner = ast.unparse(call.func).rpartition(".")[0]
        if _called(call) in _CUTS and _NAMES_OF_MESSAGES.search(owner):
            yield _at(call, f"{owner}.{_called(call)}()")


def asks_clock_or_dice(tree: ast.Module) -> Iterator[str]:
    """Rule 6: in a domain the clock and the dice are arguments."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _called(node) in _MOMENTS | _DICE:
            yield _at(node, f"{ast.unparse(node.func)}()")
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = [getattr(node, "module", None), *(alias.name for alias in node.names)]
            if _DICE_MODULES & set(module):
                yield _at(node, ast.unparse(node))


def awaits_the_world(tree: ast.Module) -> Iterator[str]:
    """Rule 5: a handler awaits only what works on the session it was given."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Await):
            continue
        call = node.value
        given = isinstance(call, ast.Call) and [ast.unparse(argument) for argument in call.args]
        own = isinstance(call, ast.Call) and ast.unparse(call.func).startswith("session.")
        if not own and not (given and given[0] == "session"):
            yield _at(node, ast.unparse(node))


def _functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def has_a_long_handler(tree: ast.Module) -> Iterator[str]:
    """Rule 5: fifteen lines, without signature and docstring."""
    for function in _functions(tree):
        body = function.body[1:] if ast.get_docstring(function) else function.body
        lines = (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
        if lines > HANDLER_LINES:
            yield _at(function, f"{function.name} has {lines} lines")


def has_a_long_function(tree: ast.Module) -> Iterator[str]:
    """Rule 14: aim for ten lines, stop at forty."""
    for function in _functions(tree):
        lines = (function.end_lineno or 0) - function.lineno + 1
        if lines > FUNCTION_LINES:
            yield _at(function, f"{function.name} has {lines} lines")


def words_of(name: str) -> set[str]:
    """`ClaimStore_2` has the words claim and store."""
    return {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)}


def is_vaguely_named(name: str) -> bool:
    """Rule 14: a name from the list says nothing of what is inside."""
    return bool(words_of(name) & _WORDS)


def has_a_vague_class(tree: ast.Module) -> Iterator[str]:
    """Rule 14, for classes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and is_vaguely_named(node.name):
            yield _at(node, node.name)


def has_no_sentence(tree: ast.Module) -> Iterator[str]:
    """Rule 14: each module opens with one sentence that places it."""
    if tree.body and not (ast.get_docstring(tree) or "").strip():
        yield "line 1: no docstring"


def doubles_or_sleeps(tree: ast.Module) -> Iterator[str]:
    """Rule 15: fakes are written once, and waiting means waiting for a fact."""
    for node in ast.walk(tree):
        name = getattr(node, "attr", None) or getattr(node, "id", None)
        if isinstance(node, ast.alias):
            name = node.name.rpartition(".")[2]
        if name in _DOUBLES:
            yield f"line {getattr(node, 'lineno', 0)}: {name}"
        if isinstance(node, ast.Attribute) and ast.unparse(node) == "monkeypatch.setattr":
            yield _at(node, "monkeypatch.setattr")


def logs_a_number(tree: ast.Module) -> Iterator[str]:
    """A phone number in a log is masked: by its name we can tell that it is one."""
    for call in _calls(tree):
        owner = ast.unparse(call.func).rpartition(".")[0]
        if owner not in {"log", "logger", "logging"}:
            continue
        hidden = {
            id(inner) for c in _calls(call) if _called(c) == "redact" for inner in ast.walk(c)
        }
        for node in ast.walk(call):
            name = getattr(node, "attr", None) or getattr(node, "id", None)
            if name in _PHONES and id(node) not in hidden:
                yield _at(call, f"{ast.unparse(call.func)} tells {name}")


def starts_a_span(tree: ast.Module) -> Iterator[str]:
    """The SDK would record an exception as it is, and it may say a number, a name or a text."""
    for call in _calls(tree):
        if _called(call) in {"start_as_current_span", "record_exception", "use_span"}:
            yield _at(call, f"{ast.unparse(call.func)}()")


def logs_a_sentence(tree: ast.Module) -> Iterator[str]:
    """Rule 14: a log line is a fixed name plus fields."""
    for call in _calls(tree):
        owner, _, level = ast.unparse(call.func).rpartition(".")
        if owner != "log" or level not in {"debug", "info", "warning", "error", "exception"}:
            continue
        name = call.args[0] if call.args else None
        if isinstance(name, ast.JoinedStr | ast.BinOp):
            yield _at(call, ast.unparse(name))
        elif isinstance(name, ast.Constant) and not _LOG_NAME.fullmatch(str(name.value)):
            yield _at(call, repr(name.value))
