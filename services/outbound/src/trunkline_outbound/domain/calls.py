"""A call's state as a fold over the set of what was said of it: any order gives one result."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from trunkline_outbound.domain.states import CALL_RANK, FINAL_RANK

UNKNOWN_STATUS_RANK = 0  # a status that the provider invented after we were written


@dataclass(frozen=True, slots=True)
class CallEvent:
    """One thing the provider said. `number` is its own sequence, -1 without one."""

    attempt_id: str
    provider_id: str
    status: str
    number: int
    duration: int | None = None
    answered_by: str | None = None
    code: str | None = None

    @property
    def rank(self) -> int:
        """How much this beats: final beats progress, later beats earlier."""
        return CALL_RANK.get(self.status, UNKNOWN_STATUS_RANK)


@dataclass(frozen=True, slots=True)
class CallState:
    """A call as far as it is known. `duration` in seconds."""

    attempt_id: str
    status: str
    answered: bool = False
    duration: int | None = None
    answered_by: str | None = None
    code: str | None = None

    @property
    def rank(self) -> int:
        """The rank of its status."""
        return CALL_RANK.get(self.status, UNKNOWN_STATUS_RANK)

    @property
    def is_final(self) -> bool:
        """Whether the call is over."""
        return self.rank >= FINAL_RANK


def fold(attempt_id: str, events: Iterable[CallEvent]) -> CallState:
    """The state that this set of events stands for. At least `queued`: each proves acceptance."""
    state = CallState(attempt_id, "queued")
    for event in sorted(set(events), key=_weight):
        status = event.status if event.rank >= state.rank else state.status
        state = CallState(
            attempt_id,
            status,
            answered=state.answered or status in ("in-progress", "answered", "completed"),
            duration=event.duration if event.duration is not None else state.duration,
            answered_by=event.answered_by or state.answered_by,
            code=event.code or state.code,
        )
    return state


def _weight(event: CallEvent) -> tuple[int, int, str, int, str, str]:
    return (
        event.rank,
        event.number,
        event.provider_id,
        event.duration or 0,
        event.answered_by or "",
        event.code or "",
    )
