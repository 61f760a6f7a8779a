"""Facts about attempts and jobs, in the attempt's own trace and under its run's correlation."""

from __future__ import annotations

from typing import cast

from trunkline_common.contracts.envelope import Event
from trunkline_common.contracts.outbound import FinalJobState, JobEnded
from trunkline_common.db.outbox import Fact
from trunkline_outbound.store.attempts import Attempt
from trunkline_outbound.store.jobs import MovedJob, QueuedJob
from trunkline_outbound.store.runs import Run


def fact_of(attempt: Attempt, event: Event) -> Fact:
    """A fact about an attempt."""
    return Fact(event, attempt.business_id, attempt.correlation_id, traceparent=attempt.traceparent)


def job_ended(attempt: Attempt, job: MovedJob) -> Fact:
    """The fact that a contact's turn is over."""
    event = JobEnded(
        run_id=job.run_id,
        seq=job.seq,
        contact_id=job.contact_id,
        state=cast("FinalJobState", job.state),
        outcome=job.outcome,
        reason=job.reason,
    )
    return fact_of(attempt, event)


def job_skipped(run: Run, job: QueuedJob, rule: str) -> Fact:
    """The fact that a contact's turn is over without a request: there is no attempt to speak of."""
    event = JobEnded(
        run_id=run.run_id, seq=job.seq, contact_id=job.contact_id, state="skipped", reason=rule
    )
    return Fact(event, run.business_id, run.correlation_id, traceparent=run.traceparent)
