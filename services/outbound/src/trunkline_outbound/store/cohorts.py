"""The months of runs as the database keeps them: partitions, and what of a month lies elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_outbound.domain.cohorts import Month

PARTITIONED: Final = ("attempts", "decisions", "jobs")  # dropped in this order: jobs last
# What is found by an attempt, and by a run: small tables with keys that are one in all months.
OF_ATTEMPTS: Final = (
    *("provider_calls", "call_events", "call_notes", "message_events", "surplus_calls", "calls"),
)
OF_RUNS: Final = (
    "rejects",
    "claims",
    "audience_chunks",
    "audience_ends",
    "suppressions",
    "addition_pieces",
)
# These go with the run's own row, in one transaction.
LAST: Final = {
    "limits": "id",
    "pace": "sender",
    "forecasts": "run_id",
    "recounts": "run_id",
    "additions": "run_id",
    "cursors": "run_id",
    "runs": "run_id",
}

_NOW = text("SELECT clock_timestamp()")
_MAKE = text("SELECT make_partition(:whole, :name, :lower_id, :upper_id)")
_DROP = text("SELECT drop_partition(:whole, :name, :keep_days)")
_ANALYZE = text("SELECT analyze_partitions(:fewest, :share)")
_KNOWN = text("SELECT whole, cohort, lower_id, upper_id FROM partitions ORDER BY upper_id, whole")
_IN_USE = text(
    """
SELECT EXISTS (
    SELECT FROM runs WHERE run_id >= :lower_id AND run_id < :upper_id
       AND (state NOT IN ('completed', 'cancelled', 'failed') OR ended_at IS NULL
            OR ended_at > clock_timestamp() - make_interval(days => :keep_days)))
"""
)
_ATTEMPTS = text(
    """
SELECT attempt_id FROM attempts
 WHERE run_id >= :lower_id AND run_id < :upper_id AND attempt_id > :after
 ORDER BY attempt_id LIMIT :batch
"""
)
_RUNS = text(
    """
SELECT run_id FROM runs WHERE run_id >= :lower_id AND run_id < :upper_id
 ORDER BY run_id LIMIT :batch
"""
)
# Bindings are found by what is bound; no index leads from an attempt to them.
_BINDINGS = """
DELETE FROM provider_calls AS bound USING (
    SELECT business_id, account, provider_id FROM attempts
     WHERE attempt_id = ANY (CAST(:attempts AS text[])) AND provider_id IS NOT NULL
       AND run_id >= :lower_id AND run_id < :upper_id
    UNION
    SELECT business_id, account, provider_id FROM surplus_calls
     WHERE attempt_id = ANY (CAST(:attempts AS text[]))) AS gone
 WHERE bound.business_id = gone.business_id AND bound.account = gone.account
   AND bound.provider_id = gone.provider_id
"""
_ONE_BY_ONE = "DELETE FROM {table} WHERE attempt_id = ANY (CAST(:attempts AS text[]))"
_BY_ATTEMPT = [text(_BINDINGS), *(text(_ONE_BY_ONE.format(table=t)) for t in OF_ATTEMPTS[1:])]
_BY_RUN = {
    table: text(
        f"DELETE FROM {table} WHERE ctid = ANY (ARRAY("  # noqa: S608
        f"SELECT ctid FROM {table} WHERE run_id = ANY (CAST(:runs AS text[])) AND run_id <> ''"
        " LIMIT :batch))"
    )
    for table in OF_RUNS
}
_LAST = [
    text(f"DELETE FROM {table} WHERE {column} = ANY (CAST(:runs AS text[]))")  # noqa: S608
    for table, column in LAST.items()
]
_REST = {
    table: text(f"SELECT count(*) FROM (SELECT FROM {table}_default LIMIT :most) AS counted")  # noqa: S608
    for table in PARTITIONED
}


@dataclass(frozen=True, slots=True)
class Partition:
    """One month of one table; the first has no lower end."""

    whole: str
    name: str
    lower_id: str
    upper_id: str

    @property
    def span(self) -> dict[str, str]:
        return {"lower_id": self.lower_id, "upper_id": self.upper_id}


async def now(session: AsyncSession) -> datetime:
    """The database's clock."""
    moment: datetime = (await session.execute(_NOW)).scalar_one()
    return moment


async def make(session: AsyncSession, whole: str, month: Month) -> bool:
    """Make a month of a table, with what waited for it in the rest; whether it was missing."""
    span = {"lower_id": month.lower_id, "upper_id": month.upper_id}
    parameters = {"whole": whole, "name": month.name} | span
    return bool((await session.execute(_MAKE, parameters)).scalar())


async def analyze(session: AsyncSession, *, fewest: int, share: float) -> int:
    """Look at the months of which so many rows, and such a share, are new; how many there were."""
    rows = await session.execute(_ANALYZE, {"fewest": fewest, "share": share})
    return int(rows.scalar_one())


async def known(session: AsyncSession) -> Sequence[Partition]:
    """Every month of every table, the oldest first."""
    return [Partition(*row) for row in await session.execute(_KNOWN)]


async def is_in_use(session: AsyncSession, part: Partition, *, keep_days: int) -> bool:
    """Whether a run of this month is not final, or ended too lately."""
    rows = await session.execute(_IN_USE, part.span | {"keep_days": keep_days})
    return bool(rows.scalar())


async def drop(session: AsyncSession, part: Partition, *, keep_days: int) -> bool:
    """Drop a month of a table, if no run of it is in use; whether it is gone."""
    parameters = {"whole": part.whole, "name": part.name, "keep_days": keep_days}
    return bool((await session.execute(_DROP, parameters)).scalar())


async def attempts_after(
    session: AsyncSession, part: Partition, after: str, *, batch: int
) -> list[str]:
    """The next attempts of a month's runs."""
    parameters = part.span | {"after": after, "batch": batch}
    return list((await session.execute(_ATTEMPTS, parameters)).scalars())


async def forget_attempts(
    session: AsyncSession, part: Partition, attempt_ids: Sequence[str]
) -> None:
    """Delete what is kept of these attempts outside their month."""
    for number, statement in enumerate(_BY_ATTEMPT):
        span = {} if number else part.span
        await session.execute(statement, span | {"attempts": list(attempt_ids)})


async def some_runs(session: AsyncSession, part: Partition, *, batch: int) -> list[str]:
    """Some runs of a month."""
    return list((await session.execute(_RUNS, part.span | {"batch": batch})).scalars())


async def forget_of_runs(session: AsyncSession, run_ids: Sequence[str], *, batch: int) -> int:
    """Delete some rows of these runs outside their month; how many."""
    deleted = 0
    for statement in _BY_RUN.values():
        result = await session.execute(statement, {"runs": list(run_ids), "batch": batch})
        deleted += int(result.rowcount)  # type: ignore[attr-defined]  # present on DML results
    return deleted


async def forget_runs(session: AsyncSession, run_ids: Sequence[str]) -> None:
    """Delete the runs themselves, with their gates and counters."""
    for statement in _LAST:
        await session.execute(statement, {"runs": list(run_ids)})


async def count_rest(session: AsyncSession, whole: str, *, most: int) -> int:
    """How many rows no month has, up to `most`."""
    return int((await session.execute(_REST[whole], {"most": most})).scalar_one())
