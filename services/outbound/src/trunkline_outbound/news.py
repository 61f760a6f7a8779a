"""News of calls that we asked for, and calls that we end: what callbacks did not bring."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_common.db import Database, transaction
from trunkline_common.db.transaction import name_commit
from trunkline_common.ids import new_event_id
from trunkline_outbound.accounts import Accounts
from trunkline_outbound.domain.calls import CallEvent
from trunkline_outbound.gateways.twilio_calls import ProviderSilent
from trunkline_outbound.gateways.voice import AccountAccess, CallRegistry, ProviderCall
from trunkline_outbound.prices import keep_price
from trunkline_outbound.store import attempts, doubts, events
from trunkline_outbound.store.attempts import Attempt
from trunkline_outbound.store.doubts import LiveCall
from trunkline_outbound.store.events import KeptOfCall
from trunkline_outbound.store.whose import runs_of

log = logging.getLogger(__name__)

BATCH: Final = 100
AT_ONCE: Final = 10
LONGEST_POLL: Final = 600.0
HANG_UP_AGAIN: Final = 15.0
POLLED: Final = -2  # in place of the provider's sequence number, which a listing does not have


async def keep_news(session: AsyncSession, attempt: Attempt, seen: ProviderCall) -> None:
    """Put what the provider tells of a call into the set that its state is folded from."""
    said = CallEvent(
        attempt_id=attempt.attempt_id,
        provider_id=seen.provider_id,
        status=seen.status,
        number=POLLED,
        duration=seen.duration,
        answered_by=seen.answered_by,
    )
    kept = KeptOfCall(said, attempt.business_id, attempt.account, new_event_id())
    await events.keep_call_events(session, [kept])
    if seen.price is not None:
        await keep_price(session, attempt, seen)


async def poll_silent_calls(
    database: Database, registry: CallRegistry, accounts: Accounts, *, first: float
) -> int:
    """Ask about calls whose callbacks stay away, less and less often; how many were asked about."""
    async with transaction(database) as session:
        due = await doubts.pick_silent_calls(
            session, first=first, longest=LONGEST_POLL, batch=BATCH
        )

    async def ask(call: LiveCall, access: AccountAccess) -> None:
        seen = await registry.fetch(access, call.provider_id)
        if seen is None:
            log.error("call.not_there", extra={"attempt": call.attempt_id})
            return
        async with transaction(database) as session:
            run_ids = await runs_of(session, [call.attempt_id])
            known = await attempts.get_attempts(session, [call.attempt_id], run_ids=run_ids)
            name_commit(session, "outbound.poll")
            await keep_news(session, known[call.attempt_id], seen)

    await each(accounts, due, ask)
    return len(due)


async def hang_up(database: Database, registry: CallRegistry, accounts: Accounts) -> int:
    """End the calls of runs that were cancelled so; how many were asked to end."""
    async with transaction(database) as session:
        due = await doubts.pick_calls_to_end(session, again=HANG_UP_AGAIN, batch=BATCH)

    async def end(call: LiveCall, access: AccountAccess) -> None:
        await registry.end(access, call.provider_id, ringing_only=False)

    await each(accounts, due, end)
    return len(due)


async def each(
    accounts: Accounts,
    calls: Sequence[LiveCall],
    act: Callable[[LiveCall, AccountAccess], Awaitable[None]],
) -> None:
    """Act on every call, a few at a time; what the provider does not answer is tried again."""
    bounded = asyncio.Semaphore(AT_ONCE)

    async def one(call: LiveCall) -> None:
        async with bounded:
            access = await accounts.access(
                call.channel_id, business_id=call.business_id, account=call.account
            )
            if access is None:
                return
            try:
                await act(call, access)
            except ProviderSilent as error:
                log.warning("call.provider_silent", extra={"error": str(error)})
            except Exception:  # its neighbours' looks must not be lost with it
                log.exception("call.not_asked", extra={"attempt": call.attempt_id})

    async with asyncio.TaskGroup() as acting:
        for call in calls:
            acting.create_task(one(call))
