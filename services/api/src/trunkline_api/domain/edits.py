"""What a merge patch (RFC 7396) makes of a contact."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

PLAIN: Final = ("name", "first_name", "last_name", "email", "country", "language", "time_zone")


def merged(now: Mapping[str, str], asked: Mapping[str, str | None] | None) -> dict[str, str]:
    """A map with these names set, those that are null taken out, and the others as they were."""
    if asked is None:
        return {}
    kept = {name: value for name, value in now.items() if name not in asked}
    return kept | {name: value for name, value in asked.items() if value is not None}


def edited(now: Mapping[str, Any], asked: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that are different afterwards, each with its new value.

    What is not named stays, null clears; a list is replaced whole, `variables` name by name. The
    phone is not looked at here: it has to be read first.
    """
    wanted = {name: asked[name] for name in PLAIN if name in asked}
    if "tags" in asked:
        wanted["tags"] = sorted(set(asked["tags"] or ()))
    if "variables" in asked:
        wanted["variables"] = merged(now["variables"], asked["variables"])
    return {name: value for name, value in wanted.items() if value != now[name]}
