"""What claims cost, as figures and as a table."""

from __future__ import annotations

from dataclasses import dataclass

from tests.benchmarks.report import Table


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one kind of claim in one condition."""

    queued: int
    condition: str
    kind: str
    p50_ms: float
    p99_ms: float
    pages: float


def table_of(found: list[Cost]) -> Table:
    """As many rows as were measured; the ratio is to the smallest queue of the same kind."""
    first: dict[tuple[str, str], Cost] = {}
    rows = []
    for cost in found:
        base = first.setdefault((cost.condition, cost.kind), cost)
        rows.append(
            (
                f"{cost.queued:,}",
                cost.condition,
                cost.kind,
                f"{cost.p50_ms:.1f}",
                f"{cost.p99_ms:.1f}",
                f"{cost.p99_ms / base.p99_ms:.2f}",
                f"{cost.pages:.0f}",
            )
        )
    head = ("queued", "condition", "claim", "p50 ms", "p99 ms", "p99 of the smallest", "pages")
    return Table(head, tuple(rows))
