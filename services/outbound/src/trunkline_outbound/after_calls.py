"""Looks at calls that need no worker: legs without news, and prices of what has ended."""

from __future__ import annotations

import logging
from typing import Final

from trunkline_common.contracts.inbound import CallLegEnded
from trunkline_common.db import Database, outbox, transaction
from trunkline_common.ids import new_event_id
from trunkline_outbound.accounts import Accounts
from trunkline_outbound.gateways.voice import AccountAccess, CallRegistry
from trunkline_outbound.legs import MOST_POLLS, fact_of_leg
from trunkline_outbound.news import LONGEST_POLL, POLLED, each
from trunkline_outbound.prices import keep_price
from trunkline_outbound.store import attempts, legs, prices, silent_legs
from trunkline_outbound.store.doubts import LiveCall
from trunkline_outbound.store.legs import SaidOfLeg
from trunkline_outbound.store.whose import runs_of

log = logging.getLogger(__name__)

BATCH: Final = 100


async def poll_silent_legs(
    database: Database, registry: CallRegistry, accounts: Accounts, *, first: float
) -> int:
    """Ask about legs whose callbacks stay away; how many were asked about."""
    async with transaction(database) as session:
        due = await silent_legs.pick_silent(
            session, first=first, longest=LONGEST_POLL, most=MOST_POLLS, batch=BATCH
        )

    async def ask(call: LiveCall, access: AccountAccess) -> None:
        seen = await registry.fetch(access, call.provider_id)
        async with transaction(database) as session:
            leg = await legs.get(session, call.attempt_id)
            if seen is None or leg is None:
                log.error("call.not_there", extra={"call": call.attempt_id})
                return
            said = SaidOfLeg(
                business_id=leg.business_id,
                account=leg.account,
                provider_id=leg.provider_id,
                status=seen.status,
                number=POLLED,
                channel_id=leg.channel_id,
                direction=leg.direction,
                correlation_id=leg.correlation_id,
                event_id=new_event_id(),
                duration=seen.duration,
                answered_by=seen.answered_by,
            )
            await legs.keep(session, said)

    await each(accounts, due, ask)
    return len(due)


async def ask_prices(database: Database, registry: CallRegistry, accounts: Accounts) -> int:
    """Ask what ended calls cost; how many were asked about."""
    async with transaction(database) as session:
        of_runs = await prices.pick_calls(session, batch=BATCH)
        of_legs = await prices.pick_legs(session, batch=BATCH)

    async def ask(call: LiveCall, access: AccountAccess) -> None:
        seen = await registry.fetch(access, call.provider_id)
        if seen is not None:
            async with transaction(database) as session:
                run_ids = await runs_of(session, [call.attempt_id])
                known = await attempts.get_attempts(session, [call.attempt_id], run_ids=run_ids)
                if call.attempt_id in known:
                    await keep_price(session, known[call.attempt_id], seen)

    async def ask_of_leg(call: LiveCall, access: AccountAccess) -> None:
        seen = await registry.fetch(access, call.provider_id)
        if seen is None or seen.price is None:
            return
        async with transaction(database) as session:
            if not await prices.keep_of_leg(
                session, call.attempt_id, price=seen.price, unit=seen.price_unit
            ):
                return
            leg = await legs.get(session, call.attempt_id)
            if leg is not None:
                parents = await legs.parents(session, [leg.call_id])
                fact = fact_of_leg(leg, CallLegEnded, parents.get(leg.call_id))
                await outbox.add(session, fact)

    await each(accounts, of_runs, ask)
    await each(accounts, of_legs, ask_of_leg)
    return len(of_runs) + len(of_legs)
