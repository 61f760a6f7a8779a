"""Phone numbers out of everything that is logged."""

from __future__ import annotations

import re
from typing import Final

_NUMBER: Final = re.compile(
    r"""
    (?P<prefix>\+|%2[Bb])\d(?:[ ().\-/]{0,2}\d){6,14}       # international, however it is spaced
    | (?<![\w.\-])(?!\d{4}-\d\d-\d\d)\(?\d(?:[ ()\-]{0,2}\d){8,14}(?![\w\-])   # as Meta writes them
    """,
    re.VERBOSE,
)
_SHOWN = 2


def _mask(match: re.Match[str]) -> str:
    number = match.group()
    digits = [character for character in number if character.isdigit()]
    return f"{match.group('prefix') or ''}…{''.join(digits[-_SHOWN:])}"


def redact(text: str) -> str:
    """The text with the last two digits of each phone number, and no more of it."""
    return _NUMBER.sub(_mask, text)
