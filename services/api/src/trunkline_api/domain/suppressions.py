"""What can be suppressed: a number, all numbers that begin alike, or a contact."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from trunkline_api.domain.phones import Unusable, clean, normalise
from trunkline_common.contracts.api import ChannelKind
from trunkline_common.contracts.suppressions import SuppressionKind
from trunkline_common.ids import CONTACT, is_id

_SEPARATORS: Final = re.compile(r"[\s().\-/]")
_PREFIX: Final = re.compile(r"^\+[1-9][0-9]{0,14}$")


@dataclass(frozen=True, slots=True)
class Entry:
    """One suppression as it is asked for."""

    kind: SuppressionKind
    value: str
    run_id: str | None = None
    channel: ChannelKind | None = None
    source: str = "api"
    reason: str | None = None
    evidence: str | None = None


@dataclass(frozen=True, slots=True)
class Misread:
    """A value that names nobody, and why."""

    detail: str


def read_value(kind: SuppressionKind, raw: str, country: str) -> str | Misread:
    """The one form under which a value is kept and found."""
    match kind:
        case "address":
            phone = normalise(raw, country)
            if isinstance(phone, Unusable):
                return Misread(f"not a number that can be called: {phone.reason}")
            return phone.address
        case "prefix":
            prefix = _SEPARATORS.sub("", clean(raw)).removesuffix("*")
            if not _PREFIX.match(prefix):
                return Misread("not the beginning of a number: write it like +4990 or +4990*")
            return prefix
        case _:
            return raw if is_id(raw, CONTACT) else Misread("there is no such contact")
