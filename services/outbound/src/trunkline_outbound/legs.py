"""Calls that no attempt asked for: folded like those of runs, and told whole each time."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final, cast

from prometheus_client import Counter
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_common.contracts.inbound import (
    CallLegAnswered,
    CallLegEnded,
    CallLegRinging,
    CallLegUnknown,
)
from trunkline_common.contracts.outbound import CallOutcome
from trunkline_common.db import Database, outbox, transaction
from trunkline_common.db.outbox import Fact
from trunkline_common.ids import CALL, new_id
from trunkline_outbound.domain.calls import fold
from trunkline_outbound.domain.states import call_outcome
from trunkline_outbound.store import legs as store
from trunkline_outbound.store import silent_legs
from trunkline_outbound.store.calls import PRICE_AFTER
from trunkline_outbound.store.legs import Leg

log = logging.getLogger(__name__)

BATCH: Final = 100
MOST_POLLS: Final = 150  # a day: what its provider does not know by then it never will

UNKNOWN = Counter("trunkline_legs_unknown_total", "Legs that nobody can explain", ["direction"])

Told = CallLegRinging | CallLegAnswered | CallLegEnded | CallLegUnknown


async def fold_legs(database: Database, *, batch: int) -> int:
    """Fold what has arrived since the last look; how many events were folded."""
    async with transaction(database) as session:
        said = await store.lock_unfolded(session, batch)
        if not said:
            return 0
        keys = sorted({(e.business_id, e.account, e.provider_id) for e in said})
        before = await store.open_and_lock(session, keys, [new_id(CALL) for _ in keys])
        sets = await store.sets(session, [leg.call_id for leg in before])
        after = {leg.call_id: fold(leg.call_id, sets.get(leg.call_id, ())) for leg in before}
        changed = [leg for leg in before if leg.version == 0 or leg.state != after[leg.call_id]]
        if changed:
            states = [after[leg.call_id] for leg in changed]
            now = await store.fold(session, states, price_after=PRICE_AFTER)
            await _tell(session, {leg.call_id: leg for leg in changed}, now)
        await store.mark_folded(session, said)
        return len(said)


async def close_silent_legs(database: Database) -> int:
    """End as unknown what its provider did not explain in all the time that it had; how many."""
    async with transaction(database) as session:
        given_up = await silent_legs.close(session, most=MOST_POLLS, batch=BATCH)
        if not given_up:
            return 0
        parents = await store.parents(session, [leg.call_id for leg in given_up])
        facts = [fact_of_leg(leg, CallLegUnknown, parents.get(leg.call_id)) for leg in given_up]
        await outbox.add_all(session, facts)
    for leg in given_up:
        UNKNOWN.labels(leg.direction).inc()
        log.error("call.leg_silent", extra={"call": leg.call_id, "direction": leg.direction})
    return len(given_up)


async def _tell(session: AsyncSession, before: dict[str, Leg], now: Sequence[Leg]) -> None:
    """Say what each leg has come to, a fact for every step that it made."""
    parents = await store.parents(session, list(before))
    facts = []
    for leg in sorted(now, key=lambda leg: leg.call_id):
        steps = steps_of(before[leg.call_id], leg)
        facts += [fact_of_leg(leg, step, parents.get(leg.call_id)) for step in steps]
    await outbox.add_all(session, facts)


def steps_of(before: Leg, leg: Leg) -> list[type[Told]]:
    """Which steps a leg made; of one that is over every change is told.

    Only its end is told of one that was given up: before it nothing more is known of it.
    """
    if before.unknown_at is not None and not leg.state.is_final:
        return []
    steps: list[type[Told]] = []
    if before.version == 0:
        steps.append(CallLegRinging)
    if leg.answered and not before.answered:
        steps.append(CallLegAnswered)
    if leg.state.is_final:
        steps.append(CallLegEnded)
    return steps


def fact_of_leg(leg: Leg, event: type[Told], parent: str | None) -> Fact:
    """A fact about a leg, with its whole state."""
    outcome = call_outcome(leg.status, leg.answered_by) if leg.state.is_final else None
    told = event(
        call_id=leg.call_id,
        version=leg.version,
        direction="inbound" if leg.direction == "inbound" else "outbound",
        channel_id=leg.channel_id,
        account=leg.account,
        provider_call_id=leg.provider_id,
        parent_call_id=parent,
        from_number=leg.from_number,
        to_number=leg.to_number,
        began_at=leg.began_at,
        answered_at=leg.answered_at,
        ended_at=leg.ended_at,
        outcome=cast("CallOutcome | None", outcome),
        duration=leg.duration,
        answered_by=leg.answered_by,
        code=leg.code,
        price=leg.price,
        price_unit=leg.price_unit,
    )
    return Fact(told, leg.business_id, leg.correlation_id, sequence=leg.version)
