"""The one way in which an attempt is accepted, whether an answer or a callback brings the news."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_common.contracts.outbound import CallDialled
from trunkline_common.db import outbox
from trunkline_common.db.outbox import Fact
from trunkline_common.db.transaction import wake_after_commit
from trunkline_outbound.facts import fact_of
from trunkline_outbound.store import answered, attempts, calls, jobs, limits, surplus, touches
from trunkline_outbound.store.answered import Answered
from trunkline_outbound.store.attempts import Attempt
from trunkline_outbound.store.jobs import Move
from trunkline_outbound.strays import doubt_strays

log = logging.getLogger(__name__)

SURPLUS = "outbound.surplus"  # rung when a second call for one job was seen


@dataclass(frozen=True, slots=True)
class Acceptance:
    """A provider took an attempt under this id; `said_by` is `answer` or `callback`."""

    attempt: Attempt
    provider_id: str
    said_by: str


async def accept(session: AsyncSession, news: Sequence[Acceptance]) -> None:
    """Apply acceptances. Facts: not fenced, true whoever says them, however often.

    The jobs and attempts concerned are locked by the caller, in that order.
    """
    if not news:
        return
    late = await surplus.late_of(session, [n.attempt for n in news])
    owners = await attempts.bind(session, [(n.attempt, n.provider_id) for n in news])
    ours = [n for n in news if owners[n.attempt.scope, n.provider_id] == n.attempt.attempt_id]
    await attempts.accept(session, [(n.attempt, n.provider_id, n.said_by) for n in ours])
    await attempts.close_sends(session, [n.attempt.attempt_id for n in ours])
    opened = await calls.open_calls(session, [(n.attempt, n.provider_id) for n in ours])
    await jobs.move(
        session,
        [
            Move(n.attempt.run_id, n.attempt.seq, n.attempt.attempt_id, "accepted", "accepted")
            for n in ours
        ],
        only_from=("sending", "in_doubt"),
    )
    await _brake(session, ours, late)
    await outbox.add_all(session, [_dialled(n) for n in ours if n.attempt.attempt_id in opened])
    await doubt_strays(session, [n.attempt for n in news if n not in ours])


async def accept_open(
    session: AsyncSession, news: Sequence[tuple[Answered, str]], *, said_by: str
) -> None:
    """`accept`, in one statement, for attempts that are their jobs' open ones as they stand locked.

    None of them can be late, so only a job that has had another attempt can have another call.
    """
    if not news:
        return
    facts = [(one.attempt, provider_id) for one, provider_id in news]
    ours = await answered.accept_open(session, facts, said_by=said_by)
    await doubt_strays(session, [a for a, _ in facts if a.attempt_id not in ours])
    again = [(one, i) for one, i in news if not one.is_only and one.attempt.attempt_id in ours]
    if again:
        await _brake(session, [Acceptance(one.attempt, i, said_by) for one, i in again], set())
    dialled = [Acceptance(a, i, said_by) for a, i in facts if ours.get(a.attempt_id)]
    await outbox.add_all(session, [_dialled(n) for n in dialled])


async def _brake(session: AsyncSession, ours: Sequence[Acceptance], late: set[str]) -> None:
    """What is accepted after it had been given up must not be dialled again beside it."""
    found = [n.attempt for n in ours if n.attempt.attempt_id in late]
    await surplus.take_back(session, found)
    await limits.retake(session, [(a.attempt_id, a.run_id, a.scope) for a in found])
    await touches.restore(session, sorted(a.attempt_id for a in found))
    facts = [(n.attempt, n.provider_id) for n in ours]
    twice = await surplus.detect(session, facts)
    if twice:
        log.error("call.made_twice", extra={"attempts": twice})
        wake_after_commit(session, SURPLUS)


def _dialled(news: Acceptance) -> Fact:
    attempt = news.attempt
    event = CallDialled(
        call_id=attempt.call_id,
        attempt_id=attempt.attempt_id,
        run_id=attempt.run_id,
        seq=attempt.seq,
        contact_id=attempt.contact_id,
        channel_id=attempt.channel_id,
        account=attempt.account,
        provider_call_id=news.provider_id,
        from_number=attempt.from_number,
        to_number=attempt.to_number,
        dialled_at=datetime.now(UTC),
    )
    return fact_of(attempt, event)
