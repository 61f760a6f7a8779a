"""The bugs that the laboratory was asked to catch, by the rules whose absence each of them is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tests.faults.points import POINTS, Action, Cell

DISPATCH: Final = "tests/integration/outbound/test_game_catches.py"
FABRIC: Final = "tests/integration/common/test_fabric_catches.py"

# What was asked for, the rule that is left out, and where a game objects.
ASKED: Final = (
    ("fence off", "an intent does not compare the token", DISPATCH),
    ("intent off", "a call leaves without a word of it in the tables", DISPATCH),
    ("grace zero", "an absence counts before the grace is over", DISPATCH),
    ("inbox off", "an inbox that lets everything in", FABRIC),
    ("relay by `id > last`", "the relay selects by position instead of by state", FABRIC),
    ("ack before commit", "a delivery is acknowledged before its effect commits", FABRIC),
    ("slot released twice", "a slot is freed twice", DISPATCH),
    (
        "cancel that does not bump the token",
        "a cancel leaves the tokens as they are",
        DISPATCH,
    ),
    ("cursor advanced without its claim", "the cursor moves without a claim", DISPATCH),
    (
        "inbox row kept for a failed handler",
        "the inbox keeps the row of a failed handler",
        FABRIC,
    ),
    ("window fails open", "a window is open where nobody knows the contact's zone", DISPATCH),
)


@dataclass(frozen=True, slots=True)
class Planted:
    """A rule that outbound's processes are without, where they are struck, and what is said."""

    rule: str
    cell: Cell
    said: str  # a regular expression
    nth: int = 1


def _at(name: str, action: Action) -> Cell:
    [point] = [one for one in POINTS if (one.service, one.name) == ("outbound", name)]
    return Cell(point, action)


# In real processes: what a game cannot show is that the laboratory itself would see it.
PLAYED: Final = (
    Planted(
        "a call leaves without a word of it in the tables",
        _at("send.last_byte_left", "kill"),
        r"attempt \S+ was accepted and is not there",
    ),
    Planted(
        "a delivery is acknowledged before its effect commits",
        _at("outbound.freeze.before_commit", "kill"),
        r"stuck: facts that outbound\.\S+ never had",
    ),
    Planted(
        "the relay marks what it has claimed, and not what was confirmed",
        _at("relay.claimed", "kill"),
        r"stuck: facts that \S+ never had",
    ),
)
