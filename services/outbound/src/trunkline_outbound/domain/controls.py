"""What a person may ask of a run, and in which state of it that makes sense."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from trunkline_common.contracts.outbound import ControlName

FINAL_RUN: Final = frozenset({"cancelled", "completed", "failed"})

_DOES: Final[dict[ControlName, frozenset[str]]] = {
    "pause": frozenset({"running"}),
    "resume": frozenset({"paused"}),
    "cancel": frozenset({"draft", "ready", "running", "paused"}),
    "edit": frozenset({"draft", "ready", "running", "paused"}),
}
# To ask twice is harmless: the second answer is the same as the first.
_IS_SO: Final[dict[ControlName, frozenset[str]]] = {
    "pause": frozenset({"paused"}),
    "resume": frozenset({"running"}),
    "cancel": frozenset({"cancelling", "cancelled", "failed"}),
    "edit": frozenset(),
}


Lane = Literal["moves", "edits"]
_LANES: Final[dict[ControlName, Lane]] = {"pause": "moves", "resume": "moves", "edit": "edits"}


@dataclass(frozen=True, slots=True)
class Do:
    """It fits: the state changes."""


@dataclass(frozen=True, slots=True)
class IsSo:
    """Nothing changes, because it is so already."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """It does not fit; the reason says what would."""

    reason: str


Ruling = Do | IsSo | Refusal


SUPERSEDED: Final = "superseded"  # what was asked later has been judged already


def lane(control: ControlName) -> Lane | None:
    """Of which controls the later one counts; None: a cancel is never too late to be applied."""
    return _LANES.get(control)


def rule(control: ControlName, state: str, *, is_late: bool = False) -> Ruling:
    """Decide a control by the state that its run is in.

    `is_late`: one of its lane that was asked after it has come before it.
    """
    ruling = _by_state(control, state)
    if is_late and not isinstance(ruling, Refusal):
        return Refusal(SUPERSEDED)
    return ruling


def _by_state(control: ControlName, state: str) -> Ruling:
    if state in _DOES[control]:
        return Do()
    if state in _IS_SO[control]:
        return IsSo()
    if state in FINAL_RUN:
        return Refusal(f"the run has ended: {state}")
    if state == "cancelling":
        return Refusal("the run is being cancelled")
    return Refusal(f"the run has not started: it is {state}; cancel it, or edit its start")
