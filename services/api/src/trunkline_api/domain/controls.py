"""What api can answer of a control by itself; whatever depends on the work is outbound's to say."""

from __future__ import annotations

from typing import Final, Literal

Control = Literal["start", "pause", "resume", "cancel", "edit", "rerun", "add"]

FINAL_RUN: Final = frozenset({"cancelled", "completed", "failed", "rejected"})
UNSTARTED: Final = frozenset({"draft"})


def refusal(control: Control, state: str) -> str | None:
    """Why a control cannot fit, as far as that is certain here; None where outbound decides."""
    if state in FINAL_RUN and not (control == "cancel" and state in {"cancelled", "failed"}):
        return f"the run has ended: it is {state}"
    if state in UNSTARTED and control in {"pause", "resume"}:
        return "the run is a draft: start it first"
    return None
