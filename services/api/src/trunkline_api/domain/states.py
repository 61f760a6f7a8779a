"""Ranks: of all facts about one thing the highest rank shows, so their order does not matter."""

from __future__ import annotations

from typing import Final, Literal

CallState = Literal["dialled", "answered", "unknown", "ended"]
MessageState = Literal[
    "requested", "unknown", "accepted", "sent", "failed", "delivered", "read", "cancelled"
]

# "unknown" outranks progress: it is said when no more is to be had. Only an end corrects it, and
# of several ends the one that outbound's own fold would choose.
CALL_RANK: Final[dict[CallState, int]] = {"dialled": 1, "answered": 2, "unknown": 3, "ended": 10}

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

# How a call or a message may end, from what proves least to what proves most. Each channel's words
# stand here in its own order; that the two orders share a table means nothing.
OUTCOME_RANK: Final[dict[str, int]] = {
    "accepted": 1,
    "sent": 2,
    "canceled": 3,
    "failed": 4,
    "no_answer": 5,
    "busy": 6,
    "answered": 7,
    "machine": 8,
    "delivered": 9,
    "read": 10,
}
_NEVER_TRIED: Final = {"unknown": 0, "skipped": 1, "cancelled": 2}
_TRIED: Final = 10


def call_rank(state: CallState, outcome: str | None = None) -> int:
    """How much a fact about a call beats."""
    return CALL_RANK[state] + OUTCOME_RANK.get(outcome or "", 0)


def turn_rank(state: str, outcome: str | None) -> int:
    """How much an end of a contact's turn beats: what is known beats what is not."""
    if state in _NEVER_TRIED:
        return _NEVER_TRIED[state]
    return _TRIED + OUTCOME_RANK.get(outcome or "", 0)
