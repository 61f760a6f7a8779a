"""Which failpoints there are, in which service each is struck, and by what it is passed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Stage = Literal["calls", "doubts", "controls", "messages"]
Action = Literal["kill", "stop", "raise", "database_gone", "broker_gone"]

ACTIONS: Final[tuple[Action, ...]] = ("kill", "stop", "raise", "database_gone", "broker_gone")


@dataclass(frozen=True, slots=True)
class Point:
    """One failpoint of one service. The stage passes it at least `most` times.

    `prelude` is struck with a kill before, where the point is passed only after a loss.
    """

    name: str
    service: str
    stage: Stage
    most: int = 1
    prelude: str | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    """One point and what is done to the process there."""

    point: Point
    action: Action

    def __str__(self) -> str:
        return f"{self.point.service}/{self.point.name}={self.action}"


def _commit(
    name: str, stage: Stage, most: int = 1, service: str = "", prelude: str | None = None
) -> tuple[Point, ...]:
    service = service or name.partition(".")[0]
    return tuple(
        Point(f"{name}.{side}_commit", service, stage, most, prelude)
        for side in ("before", "after")
    )


def _places(service: str, stage: Stage, most: int, *names: str) -> tuple[Point, ...]:
    return tuple(Point(name, service, stage, most) for name in names)


_RELAY: Final = ("relay.claimed", "relay.published", "relay.marked")
_CONSUMER: Final = ("consumer.taken", "consumer.applied", "consumer.acknowledged")
_SEND: Final = (
    "send.begun",
    "send.last_byte_withheld",
    "send.last_byte_released",
    "send.last_byte_left",
    "send.answered",
)

POINTS: Final[tuple[Point, ...]] = (
    *_places("outbound", "calls", 3, *_RELAY),
    *_places("outbound", "calls", 3, *_CONSUMER),
    *_places("outbound", "calls", 8, *_SEND),
    *_commit("outbound.request", "calls"),
    *_commit("outbound.freeze", "calls"),
    *_commit("outbound.start", "calls"),
    *_commit("outbound.carve", "calls", 2),
    *_commit("outbound.due_claim", "calls"),
    *_commit("outbound.take_over", "controls"),
    *_commit("outbound.intents", "calls", 2),
    *_commit("outbound.record", "calls", 3),
    *_commit("outbound.let_go", "calls", 2),
    *_commit("outbound.gate", "controls"),
    *_commit("outbound.close_jobs", "controls"),
    *_commit("outbound.end_cancelled", "controls"),
    *_commit("outbound.complete", "calls"),
    *_commit("outbound.fold_calls", "calls", 3),
    *_commit("outbound.fold_messages", "messages"),
    *_commit("outbound.doubt_found", "doubts"),
    *_commit("outbound.doubt_absent", "doubts"),
    *_commit("outbound.poll", "doubts"),
    *_commit("outbound.horizon", "messages"),
    *_commit("outbound.progress", "calls"),
    *_commit("outbound.analyze", "calls"),
    *_places("messaging", "messages", 2, *_SEND),
    *_commit("messaging.intents", "messages"),
    *_commit("messaging.record", "messages"),
    *_commit("messaging.fold", "messages"),
    *_commit("messaging.take_over", "messages", prelude="send.last_byte_left"),
    *_commit("messaging.horizon", "messages"),
    *_commit("recordings.claim", "calls"),
    *_commit("recordings.finish", "calls"),
    *_places("recordings", "calls", 2, "recordings.answered", "recordings.stored"),
    *_commit("api.callback", "calls", 3),
    *_commit("api.start", "calls"),
    *_commit("api.feed", "calls"),
    *_commit("api.control", "controls"),
)

# What the shared machinery does is the same in every service: struck in all of them by the long
# form, and by the short one where the most goes through it.
ELSEWHERE: Final[tuple[Point, ...]] = (
    *_places("api", "calls", 1, *_RELAY, *_CONSUMER),
    *_places("messaging", "messages", 1, *_RELAY, *_CONSUMER),
    *_places("recordings", "calls", 1, *_RELAY, *_CONSUMER),
)

# Commits that no campaign passes: months are made and dropped once an hour, and what was broken
# off is taken up by the next look (tests/integration/outbound/test_cohorts.py).
OF_MONTHS: Final = (
    "outbound.make_partition",
    "outbound.forget_attempts",
    "outbound.forget_runs",
    "outbound.drop_partition",
)
