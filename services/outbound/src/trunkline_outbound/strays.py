"""Attempts of which a provider says an id that another attempt owns: it proves nothing of them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from prometheus_client import Counter
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_outbound.store import attempts, decisions, jobs
from trunkline_outbound.store.attempts import Attempt
from trunkline_outbound.store.decisions import Decision
from trunkline_outbound.store.jobs import Move

log = logging.getLogger(__name__)

BOUND_TWICE: Final = "id_of_another_call"

STRAYS = Counter("trunkline_calls_bound_twice_total", "Attempts told with an id of another's call")


async def doubt_strays(session: AsyncSession, strays: Sequence[Attempt]) -> None:
    """Put in doubt those that are still open: the provider's list of calls will say.

    The jobs and attempts are locked by the caller. What an attempt holds, its numbers and its
    slot, it keeps, as in any doubt.
    """
    if not strays:
        return
    STRAYS.inc(len(strays))
    log.error("call.bound_twice", extra={"attempts": [a.attempt_id for a in strays]})
    doubted = await attempts.settle(
        session,
        [(a.attempt_id, "in_doubt", None, BOUND_TWICE) for a in strays],
        run_ids={a.run_id for a in strays},
        said_by="answer",
    )
    ours = [a for a in strays if a.attempt_id in doubted]
    moves = [Move(a.run_id, a.seq, a.attempt_id, "in_doubt", BOUND_TWICE) for a in ours]
    await jobs.move(session, moves, only_from=("sending",))
    lines = [Decision(a.business_id, a.run_id, a.seq, "in_doubt", BOUND_TWICE) for a in ours]
    await decisions.add(session, lines)
