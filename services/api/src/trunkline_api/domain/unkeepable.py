"""Texts that no table of ours can keep: found before anything else is done with a request."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

# PostgreSQL's text has no NUL, and UTF-8 has no halves of a surrogate pair.
_UNKEEPABLE: Final = re.compile("[\x00\ud800-\udfff]")


def is_keepable(text: str) -> bool:
    """Whether a text can be stored as it is."""
    return _UNKEEPABLE.search(text) is None


def shown(text: str) -> str:
    """The text with what cannot be kept written out, so that it can be told."""
    return _UNKEEPABLE.sub(lambda found: f"\\u{ord(found.group()):04x}", text)


def unkeepable_in(value: object) -> Iterator[str]:
    """The places in a JSON value, as pointers, where a key or a text cannot be kept."""
    waiting: list[tuple[str, object]] = [("#", value)]  # no recursion: the depth is a stranger's
    while waiting:
        place, found = waiting.pop()
        if isinstance(found, str) and not is_keepable(found):
            yield place
        elif isinstance(found, dict):
            yield from (_step(place, key) for key in found if not is_keepable(key))
            waiting += [(_step(place, key), inner) for key, inner in found.items()]
        elif isinstance(found, list):
            waiting += [(f"{place}/{at}", inner) for at, inner in enumerate(found)]


def _step(place: str, key: str) -> str:
    return f"{place}/{shown(key).replace('~', '~0').replace('/', '~1')}"
