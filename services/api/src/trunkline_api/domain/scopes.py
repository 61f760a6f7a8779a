"""API keys: what they may do, how they are made, and how a shown one is told from a guessed one."""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from typing import Final, Literal, get_args

Scope = Literal[
    "contacts:read",
    "contacts:write",
    "runs:read",
    "runs:write",
    "calls:read",
    "messages:read",
    "messages:write",
    "channels:write",
    "keys:write",
    "settings:write",
]
ALL_SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)
SECRET_LENGTH: Final = 40
ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

_PREFIX: Final = "tk_live_"
_FORM: Final = re.compile(r"^tk_live_([0-7][0-9a-hjkmnp-tv-z]{25})_([A-Za-z0-9]{40})$")


@dataclass(frozen=True, slots=True)
class Presented:
    """A key as somebody presented it: which one it claims to be, and its secret's digest."""

    key_id: str
    digest: str


def shown_prefix(key_id: str) -> str:
    """What stays visible of a key for good."""
    return _PREFIX + key_id.partition("_")[2]


def whole_key(key_id: str, secret: str) -> str:
    """The key itself; shown once and never stored."""
    return f"{shown_prefix(key_id)}_{secret}"


def digest_of(secret: str) -> str:
    """What is stored. The secret has 238 random bits, so a slow hash would add nothing."""
    return hashlib.sha256(secret.encode()).hexdigest()


def read_key(text: str) -> Presented | None:
    """Take a key apart, or None where it has not the form of one."""
    form = _FORM.match(text)
    return Presented(f"key_{form.group(1)}", digest_of(form.group(2))) if form else None


def same(one: str, other: str) -> bool:
    """Compare in a time that says nothing of where they differ."""
    return hmac.compare_digest(one.encode(), other.encode())
