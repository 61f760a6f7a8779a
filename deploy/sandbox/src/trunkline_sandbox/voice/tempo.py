"""How time runs in the sandbox, and how dice fall."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from trunkline_sandbox.fates import Outcome


def real_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Tempo:
    """How dice fall and how fast time runs."""

    seed: int
    speed: float
    mix: Mapping[Outcome, float]
    now: Callable[[], datetime] = real_now
