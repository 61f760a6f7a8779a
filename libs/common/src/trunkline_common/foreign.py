"""What a provider writes, as our tables can keep it: a result that cannot be kept blocks others."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

REPLACED: Final = "\ufffd"
LONGEST_ID: Final = 300  # of what api believes, too

# PostgreSQL's text has no NUL, and UTF-8 has no halves of a surrogate pair.
_UNKEEPABLE: Final = re.compile("[\x00\ud800-\udfff]")


def read_object(raw: bytes) -> Mapping[str, Any] | None:
    """The JSON object in a body, its texts fit to be kept; None where there is none."""
    try:
        value = json.loads(raw, object_hook=_kept)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def is_id(value: object) -> bool:
    """Whether a provider's id is one that keys and indexes take as it was written."""
    return (
        isinstance(value, str)
        and 0 < len(value) <= LONGEST_ID
        and value.isprintable()
        and REPLACED not in value
    )


def _kept(found: dict[str, Any]) -> dict[str, Any]:
    """Values only: a name that we look for is one that can be kept."""
    return {
        name: _UNKEEPABLE.sub(REPLACED, value) if isinstance(value, str) else value
        for name, value in found.items()
    }
