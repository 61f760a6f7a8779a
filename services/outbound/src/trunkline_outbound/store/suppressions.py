"""Who must not be called or written to, as api told us, and whom of a handful of jobs that fits.

The gate of a business's suppressions is an advisory lock: whoever writes one holds it alone, every
intent holds it with others, from before it reads until it commits. So a suppression waits for the
intents under way, and those that come later wait for it and then read it.

INVARIANT: no intent admits a job against a suppression that was committed before the intent.
A row per business in place of the lock would have to be written by every intent, and would make
the intents of a business wait for each other; the lock costs no statement of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_common.contracts.suppressions import ContactSuppressed, ContactUnsuppressed
from trunkline_common.db.driver import fetch
from trunkline_outbound.store.jobs import QueuedJob

# Held in common by `claims.lock_own`. Events of a batch come in the order of their subjects, so a
# batch that also pauses a run has locked its claims by now: claims before the gate, as in intents.
_ALONE = text("SELECT pg_advisory_xact_lock(hashtextextended(:business_id, 13))")
# What was lifted stays as a row: its version is what tells an older fact that it comes too late.
_KEEP = text(
    """
INSERT INTO suppressions (business_id, kind, value, run_id, channel, suppression_id, version,
                          in_force, source, reason)
VALUES (:business_id, :kind, :value, :run_id, :channel, :suppression_id, :version, :in_force,
        :source, :reason)
ON CONFLICT (business_id, kind, value, run_id, channel) DO UPDATE
   SET suppression_id = excluded.suppression_id, version = excluded.version,
       in_force = excluded.in_force, source = coalesce(excluded.source, suppressions.source),
       reason = coalesce(excluded.reason, suppressions.reason), changed_at = clock_timestamp()
 WHERE suppressions.version < excluded.version
"""
)
# LIMIT keeps the subquery a lookup in the primary key for each value; as a plain join the planner
# may rather read the whole table, which at 100,000 rows takes longer than the rest of an intent.
FIND = """
SELECT wanted.kind, wanted.value, found.suppression_id, found.run_id
  FROM unnest(CAST(:kinds AS text[]), CAST(:values AS text[])) AS wanted (kind, value)
 CROSS JOIN LATERAL (
       SELECT suppression_id, run_id FROM suppressions
        WHERE suppressions.business_id = :business_id AND suppressions.kind = wanted.kind
          AND suppressions.value = wanted.value AND suppressions.run_id IN ('', :run_id)
          AND suppressions.channel IN ('', :channel) AND suppressions.in_force
        LIMIT 1) AS found
"""
_FIND = text(FIND)


@dataclass(frozen=True, slots=True)
class Suppression:
    """One that fits a job; `run_id` is empty where it is of the business's own list."""

    kind: str
    value: str
    suppression_id: str
    run_id: str

    @property
    def detail(self) -> str:
        """What the decision log says of it."""
        scope = "run" if self.run_id else "business"
        return f"{self.suppression_id} {self.value} ({scope})"


class ListsOf(Protocol):
    """Whose lists are asked: those of a business, of a run of it, and of the run's channel."""

    @property
    def business_id(self) -> str: ...
    @property
    def run_id(self) -> str: ...
    @property
    def channel(self) -> str: ...


async def keep(
    session: AsyncSession,
    event: ContactSuppressed | ContactUnsuppressed,
    *,
    business_id: str,
    in_force: bool,
) -> None:
    """Keep the newest version of a suppression; intents that commit later obey it."""
    await session.execute(_ALONE, {"business_id": business_id})
    parameters = {
        "business_id": business_id,
        "kind": event.kind,
        "value": event.value,
        "run_id": event.run_id or "",
        "channel": event.channel or "",
        "suppression_id": event.suppression_id,
        "version": event.version,
        "in_force": in_force,
        "source": getattr(event, "source", None),
        "reason": getattr(event, "reason", None),
    }
    await session.execute(_KEEP, parameters)


async def find(
    session: AsyncSession, run: ListsOf, picked: Sequence[QueuedJob]
) -> dict[int, Suppression]:
    """Which of these jobs are suppressed, and by what; the gate is held by the caller."""
    parameters = keys_of(picked) | {
        "business_id": run.business_id,
        "run_id": run.run_id,
        "channel": run.channel,
    }
    rows = await fetch(session, _FIND, parameters)
    found = {(row[0], row[1]): Suppression(*row) for row in rows}
    if not found:
        return {}
    fits = {job.seq: next((found[k] for k in keys(job) if k in found), None) for job in picked}
    return {seq: suppression for seq, suppression in fits.items() if suppression is not None}


def keys(job: QueuedJob) -> list[tuple[str, str]]:
    """What a suppression of this job can be filed under, the most telling first."""
    prefixes = [job.address[:length] for length in range(len(job.address), 1, -1)]
    own = [("address", job.address), ("contact", job.contact_id)]
    return own + [("prefix", prefix) for prefix in prefixes]


def keys_of(picked: Sequence[QueuedJob]) -> dict[str, list[str]]:
    """The keys of all of them, each once: numbers of a country share most of their prefixes."""
    distinct = dict.fromkeys(key for job in picked for key in keys(job))
    return {"kinds": [kind for kind, _ in distinct], "values": [value for _, value in distinct]}
