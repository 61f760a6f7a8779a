"""How a suite went, read from its exit codes and pytest's report; and the table of all of them."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Outcome:
    """One suite's counts and time. A command that fails without a count is one failure."""

    name: str
    seconds: float
    budget: int
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def row(self) -> str:
        """Its line in the table."""
        verdict = "failed" if self.failed else "ok"
        late = "  over budget" if self.seconds > self.budget else ""
        return (
            f"  {self.name:<14}{verdict:<8}{self.seconds:>7.1f} s of {self.budget:>4} s"
            f"{self.passed:>7} passed{self.failed:>5} failed{self.skipped:>5} skipped{late}"
        )


def counted(report: Path) -> tuple[int, int, int]:
    """Passed, failed and skipped tests of a pytest report; zeros where there is none."""
    if not report.exists():
        return 0, 0, 0
    total = failed = skipped = 0
    for suite in ET.parse(report).getroot().iter("testsuite"):  # noqa: S314  # our own pytest's
        total += int(suite.get("tests", 0))
        failed += int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        skipped += int(suite.get("skipped", 0))
    return total - failed - skipped, failed, skipped


def concluded(
    name: str, seconds: float, budget: int, *, codes: Sequence[int], report: Path
) -> Outcome:
    """Join exit codes and counts; a code that no counted failure explains is a failure itself."""
    passed, failed, skipped = counted(report)
    unexplained = sum(code != 0 for code in codes) - (failed > 0)
    return Outcome(name, seconds, budget, passed, failed + max(0, unexplained), skipped)


def closing(outcomes: Sequence[Outcome]) -> str:
    """The last line: totals of tests, as pytest would say it."""
    passed = sum(outcome.passed for outcome in outcomes)
    failed = sum(outcome.failed for outcome in outcomes)
    skipped = sum(outcome.skipped for outcome in outcomes)
    seconds = sum(outcome.seconds for outcome in outcomes)
    also = f", {skipped} skipped" if skipped else ""
    return f"{passed} passed, {failed} failed{also} in {seconds:.0f} s"
