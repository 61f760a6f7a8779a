"""How a rule of the protocol is left out: a few words of the code swapped, as it runs."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from textwrap import dedent
from types import CodeType, FunctionType, ModuleType

import pytest
from sqlalchemy import TextClause, text

Step = tuple[str, int, int]


@dataclass(frozen=True)
class Swap:
    """A few words of one function, or of one statement, and what stands there instead."""

    module: ModuleType
    name: str  # `Consumer._work` is a method
    old: str
    new: str

    def apply(self, patch: pytest.MonkeyPatch) -> None:
        """Break it, for everybody who has it. The words must be there exactly once."""
        whole = attrgetter(self.name)(self.module)
        is_sql = isinstance(whole, TextClause)
        source = whole.text if is_sql else dedent(inspect.getsource(whole))
        assert source.count(self.old) == 1, f"{self.name} has changed: plant this anew"
        broken = source.replace(self.old, self.new)
        if is_sql:
            patch.setattr(self.module, self.name, text(broken))
        else:
            patch.setattr(whole, "__code__", self._compiled(broken))

    def _compiled(self, source: str) -> CodeType:
        code = compile(source, "<planted>", "exec", annotations.compiler_flag)
        names: dict[str, FunctionType] = {}
        exec(code, self.module.__dict__, names)  # noqa: S102 - our own source, with a rule left out
        return names[self.name.rpartition(".")[2]].__code__


@dataclass(frozen=True)
class Plant:
    """One break, the oracle that finds it, and the shortest game we know in which it does."""

    name: str
    swaps: Sequence[Swap]
    oracle: str  # a regular expression of what is said
    game: Sequence[Step]
    is_slow: bool = False  # the game needs a provider whose list is slow
    is_rare: bool = False  # so many steps in that order that the dice have not found it
    is_stuck: bool = False  # seen only when nothing can move any more


def one(module: ModuleType, name: str, old: str, new: str = "") -> tuple[Swap, ...]:
    return (Swap(module, name, old, new),)
