"""The values of a form, as application/x-www-form-urlencoded has them."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote_plus

# What URLs of ours and phone numbers consist of, and what of it is to be escaped.
_FAMILIAR: Final = re.compile(r"[A-Za-z0-9_.~:/?=&%+-]*")
_ESCAPED: Final = tuple((char, f"%{ord(char):02X}") for char in "%:/?=&+")  # % before the others


def quoted(text: str) -> str:
    """As `urllib.parse.quote_plus`; a URL or a number at a tenth of its cost."""
    if not _FAMILIAR.fullmatch(text):
        return quote_plus(text)
    for char, escape in _ESCAPED:
        text = text.replace(char, escape)
    return text
