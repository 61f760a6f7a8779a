"""Entity tags of rows with a version, and the precondition that a change is made under.

RFC 9110, 8.8.3 and 13.1.1: a version names one state of a row, so the tag is strong; `If-Match`
compares strongly, so a weak tag, `W/"v3"`, matches nothing, and `*` matches whatever exists.
"""

from __future__ import annotations

import re
from typing import Final

_TAG: Final = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')


def etag(version: int) -> str:
    """The tag of a row's version."""
    return f'"v{version}"'


def if_match(header: str | None, version: int) -> bool:
    """Whether a change may be made to a row of this version. Without the header it may.

    A header that is not well formed allows nothing: whoever sent it meant to be careful.
    """
    if header is None or header.strip() == "*":
        return True
    return f"v{version}" in _strong_tags(header)


def _strong_tags(header: str) -> set[str]:
    tags: set[str] = set()
    rest = header.strip()
    while rest:
        found = _TAG.match(rest)
        if found is None:
            return set()
        if found.group(1) is None:
            tags.add(found.group(2))
        rest = rest[found.end() :].lstrip()
        if rest and not rest.startswith(","):
            return set()
        rest = rest.lstrip(", \t")
    return tags
