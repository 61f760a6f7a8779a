"""The gate of an intent: what of the jobs it picked may be sent now, in its own transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_common.contracts.api import RunPolicy
from trunkline_common.db import outbox
from trunkline_common.db.transaction import wake_after_commit
from trunkline_outbound.domain.admission import JobFacts, NotBefore, Rules, SendNow, Skip, admit
from trunkline_outbound.domain.windows import Window
from trunkline_outbound.facts import job_skipped
from trunkline_outbound.runs import ENDED
from trunkline_outbound.store import decisions, jobs, suppressions, touches
from trunkline_outbound.store.channels import Channel
from trunkline_outbound.store.claims import Claim
from trunkline_outbound.store.decisions import Decision
from trunkline_outbound.store.jobs import QueuedJob
from trunkline_outbound.store.runs import Run, Terms


async def admit_picked(
    session: AsyncSession, claim: Claim, run: Run, rules: Rules, picked: Sequence[QueuedJob]
) -> list[QueuedJob]:
    """Those that may be sent now; the others are deferred or skipped, each with its line."""
    suppressed = await suppressions.find(session, run, picked)
    touched: Mapping[str, Sequence[datetime]] = {}
    if rules.budget is not None:
        addresses = [job.address for job in picked]
        touched = await touches.find(session, run.business_id, addresses, rules.budget.window)
    admitted, later, skipped, log, ended = [], [], [], [], []
    for job in picked:
        found = suppressed.get(job.seq)
        kind, detail = (found.kind, found.detail) if found else (None, None)
        before = touched.get(job.address, ())
        facts = JobFacts(job.seq, job.address, job.attempts, job.zone, kind, before)
        match admit(facts, rules, now=job.now):
            case SendNow():
                admitted.append(job)
            case NotBefore(at, rule):
                later.append((job.seq, at, rule))
                log.append(decision(claim, job.seq, "deferred", rule, not_before=at))
            case Skip(rule):
                skipped.append((job.seq, rule))
                log.append(decision(claim, job.seq, "skipped", rule, detail=detail))
                ended.append(job_skipped(run, job, rule))
    await jobs.defer(session, claim.run_id, later)
    await jobs.skip(session, claim.run_id, skipped)
    await decisions.add(session, log)
    await outbox.add_all(session, ended)
    if skipped:
        wake_after_commit(session, ENDED)
    return admitted


def decision(
    claim: Claim,
    seq: int,
    what: str,
    rule: str,
    *,
    detail: str | None = None,
    not_before: datetime | None = None,
) -> Decision:
    """A line of the log about a job of this claim."""
    return Decision(claim.business_id, claim.run_id, seq, what, rule, detail, not_before)


def rules_of(terms: Terms, channel: Channel) -> Rules:
    """What holds for all jobs of an intent."""
    window = window_of(terms.policy, terms.holidays)
    return Rules(channel.enabled, window, terms.time_zone, terms.budget)


def window_of(policy: RunPolicy, holidays: frozenset[date]) -> Window | None:
    """A run's window on the days that its business works."""
    asked = policy.window
    if asked is None:
        return None
    return Window(asked.opens, asked.closes, frozenset(asked.weekdays), holidays)
