"""Identifiers of everything that Trunkline keeps: a prefix that says what it is, and a UUIDv7.

The text form (`run_01k9…`, TypeID's alphabet) is the only form: the same in URLs, rows, logs and
messages, so that one search finds everything about one thing.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

import uuid_utils

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base32, as TypeID has it
_PAIRS: Final = tuple(high + low for high in _ALPHABET for low in _ALPHABET)
_SHIFTS: Final = range(120, -1, -10)  # ten bits are two letters; the first five have three bits
_BODY: Final = re.compile(r"^[0-7][0-9a-hjkmnp-tv-z]{25}$")

BUSINESS: Final = "biz"
KEY: Final = "key"
CHANNEL: Final = "chn"
CONTACT: Final = "con"
IMPORT: Final = "imp"
RUN: Final = "run"
ATTEMPT: Final = "att"
CALL: Final = "call"
MESSAGE: Final = "msg"
RECORDING: Final = "rec"
CONTROL: Final = "ctl"
SUPPRESSION: Final = "sup"
MEDIA: Final = "med"
CONSENT: Final = "cns"


def new_id(prefix: str) -> str:
    """A new id such as `run_01k9zv…`: ids made later sort later, to the millisecond."""
    number = uuid_utils.uuid7().int
    return prefix + "_" + "".join([_PAIRS[(number >> shift) & 1023] for shift in _SHIFTS])


def new_event_id() -> str:
    """A new event id: a plain UUIDv7, as CloudEvents consumers expect."""
    return str(uuid_utils.uuid7())


def first_id(prefix: str, moment: datetime) -> str:
    """What no id of this kind that is made from this moment on sorts before, byte by byte."""
    millis = int(moment.timestamp() * 1000)
    return prefix + "_" + "".join(_ALPHABET[(millis >> shift) & 31] for shift in range(45, -1, -5))


def is_id(text: str, prefix: str) -> bool:
    """Whether `text` has the form of an id of this kind. Says nothing of its existence."""
    return text.startswith(prefix + "_") and _BODY.match(text[len(prefix) + 1 :]) is not None


def account_scope(business_id: str, account: str) -> str:
    """What is counted, paced or kept apart for an account: of this business, and of no other.

    Anybody may claim to have any account, so an account alone is nobody's key.
    """
    return f"{business_id}/{account}"


def number_scope(scope: str, number: str) -> str:
    """What is paced for one number of an account."""
    return f"{scope}/{number}"


def business_of(scope: str) -> str:
    """The business that a scope is of."""
    return scope.partition("/")[0]
