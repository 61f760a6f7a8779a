"""Ranks: of all facts about one thing the highest rank shows, so their order does not matter."""

from __future__ import annotations

from typing import Final, Literal

CallState = Literal["dialled", "answered", "unknown", "ended"]
MessageState = Literal[
    "requested", "unknown", "accepted", "sent", "failed", "delivered", "read", "cancelled"
]

# "unknown" outranks progress: it is said when no more is to be had. Only an end corrects it.
CALL_RANK: Final[dict[CallState, int]] = {"dialled": 1, "answered": 2, "unknown": 3, "ended": 4}

# A receipt proves acceptance, whatever was said before; delivery proves that it did not fail.
MESSAGE_RANK: Final[dict[MessageState, int]] = {
    "requested": 0,
    "unknown": 1,
    "accepted": 2,
    "sent": 3,
    "failed": 4,
    "delivered": 5,
    "read": 6,
    "cancelled": 7,  # said only of what was never sent
}
