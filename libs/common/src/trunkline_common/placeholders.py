"""Texts with named gaps such as `{{first_name}}`: found and filled in one pass, and nothing else.

There is no expression, no loop and no format: what is filled in is never read for gaps again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

NAME: Final = r"^\w{1,64}$"
_GAP: Final = re.compile(r"\{\{[ \t]*(\w{1,64})[ \t]*\}\}")
_BRACES: Final = re.compile(r"\{\{|\}\}")


def gaps_in(text: str) -> list[str]:
    """The names of a text's gaps, each once, in the order of the text."""
    return list(dict.fromkeys(_GAP.findall(text)))


def is_well_formed(text: str) -> bool:
    """Whether every double brace belongs to a gap with a name."""
    return _BRACES.search(_GAP.sub("", text)) is None


def filled(text: str, values: Mapping[str, str]) -> str:
    """The text with its gaps filled; a gap without a value stays as it is written."""
    return _GAP.sub(lambda gap: values.get(gap.group(1), gap.group()), text)
