"""Whether a call that ended is tried again, and when: the attempt policy by outcome. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from trunkline_outbound.domain.states import FINAL_JOB


@dataclass(frozen=True, slots=True)
class Retry:
    """At most `most` tries after this outcome; the n-th end of its kind waits `delays[n - 1]` s."""

    most: int
    delays: Sequence[float]


@dataclass(frozen=True, slots=True)
class Tries:
    """What a job has behind it: all its attempts, and how many ended as this one did."""

    attempts: int
    alike: int


@dataclass(frozen=True, slots=True)
class JobEnd:
    """How a job goes on after its call ended: a final state, or `waiting` for so many seconds."""

    state: str
    outcome: str
    reason: str
    wait: float = 0.0


def rules_of(
    retries: Mapping[str, Retry] | None, *, max_attempts: int, retry_after: float
) -> Mapping[str, Retry]:
    """A run's rules by outcome; one that names none tries again after busy and no answer."""
    if retries is not None:
        return retries
    usual = Retry(max_attempts - 1, (retry_after,))
    return {"busy": usual, "no_answer": usual}


def end_of_job(
    outcome: str, *, state: str, tries: Tries, cap: int, rules: Mapping[str, Retry]
) -> JobEnd:
    """What an ended call means for its job. `cap` bounds its attempts, whatever came of each.

    A job that is final is tried no more: the call's later word only corrects its outcome.
    """
    rule = rules.get(outcome)
    reason = f"call_{outcome}"
    if rule is None or rule.most <= 0 or state in FINAL_JOB:
        return JobEnd("done", outcome, reason)
    if tries.attempts < cap and tries.alike <= rule.most:
        wait = rule.delays[min(tries.alike, len(rule.delays)) - 1]
        return JobEnd("waiting", outcome, reason, wait)
    return JobEnd("exhausted", outcome, f"{reason} after {tries.attempts} attempts")
