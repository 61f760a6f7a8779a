"""What state may follow which: the tables of the protocol, and what a call's status means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

RUN_NEXT: Final[dict[str, frozenset[str]]] = {
    # A cancel goes through `cancelling` from anywhere: jobs that are there are closed in chunks.
    "draft": frozenset({"ready", "cancelling"}),
    "ready": frozenset({"running", "cancelling", "failed"}),
    "running": frozenset({"paused", "cancelling", "completed"}),
    "paused": frozenset({"running", "cancelling", "completed"}),
    "cancelling": frozenset({"cancelled", "failed"}),
    "cancelled": frozenset(),
    "completed": frozenset(),
    "failed": frozenset(),
}

FINAL_JOB: Final = frozenset({"done", "skipped", "cancelled", "exhausted", "unknown"})

JOB_NEXT: Final[dict[str, frozenset[str]]] = {
    # `accepted` at once: messaging has it when the hand-over commits.
    "queued": frozenset({"sending", "waiting", "accepted", "skipped", "cancelled"}),
    "sending": frozenset({"accepted", "waiting", "in_doubt"}) | FINAL_JOB,
    # `accepted` by a late proof for an attempt that had been taken for absent.
    "waiting": frozenset({"queued", "accepted", "cancelled"}),
    "in_doubt": frozenset({"accepted", "waiting"}) | FINAL_JOB,
    "accepted": frozenset({"waiting"}) | FINAL_JOB,
    "unknown": frozenset({"done"}),
    "done": frozenset(),
    "skipped": frozenset(),
    "cancelled": frozenset(),
    "exhausted": frozenset(),
}

ATTEMPT_NEXT: Final[dict[str, frozenset[str]]] = {
    "intent": frozenset({"not_sent", "rejected", "accepted", "in_doubt"}),
    "in_doubt": frozenset({"accepted", "rejected", "not_sent", "absent", "unknown"}),
    "absent": frozenset({"accepted"}),
    "unknown": frozenset({"accepted"}),
    "accepted": frozenset(),
    "not_sent": frozenset(),
    "rejected": frozenset(),
}

# A later word on the same attempt may change the outcome that these show, and not the state.
RESTATED_JOB: Final = frozenset({"accepted", "done"})

# Rank of Twilio's call statuses. A higher rank beats a lower one whatever came first, and no two
# are equal, so the fold over any order and repetition of events has one result.
CALL_RANK: Final[dict[str, int]] = {
    "queued": 10,
    "twiml_fetched": 15,  # ours: the provider asked for the script, so it has the call
    "initiated": 20,
    "ringing": 30,
    "in-progress": 40,
    "answered": 41,
    "canceled": 50,
    "failed": 51,
    "no-answer": 52,
    "busy": 53,
    "completed": 54,
}
FINAL_RANK: Final = 50

_OUTCOMES: Final = {
    "canceled": "canceled",
    "failed": "failed",
    "no-answer": "no_answer",
    "busy": "busy",
    "completed": "answered",
}
_MACHINES: Final = frozenset(
    {"machine_start", "machine_end_beep", "machine_end_silence", "machine_end_other", "fax"}
)

# Rank of what messaging says of a run's message; the job shows the highest. Anything that is known
# beats `unknown`.
MESSAGE_RANK: Final[dict[str, int]] = {
    "unknown": 1,
    "accepted": 2,
    "sent": 3,
    "failed": 4,
    "delivered": 5,
    "read": 6,
    "cancelled": 7,  # said only of what was never sent
}


def before(table: Mapping[str, frozenset[str]], state: str) -> list[str]:
    """The states that `state` may follow."""
    return sorted(earlier for earlier, later in table.items() if state in later)


def steps(table: Mapping[str, frozenset[str]]) -> list[tuple[str, str]]:
    """Every (from, to) of a table."""
    return sorted((earlier, state) for earlier, later in table.items() for state in later)


def call_outcome(status: str, answered_by: str | None) -> str:
    """The outcome that a final call status stands for."""
    if status == "completed" and answered_by in _MACHINES:
        return "machine"
    return _OUTCOMES[status]
