"""Calls as the read model has them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_api.store import caller_responses, recordings, responses, runs
from trunkline_api.store import calls as store
from trunkline_api.store.caller_responses import KeptCallerResponse
from trunkline_api.store.calls import Call
from trunkline_api.store.recordings import Recording
from trunkline_api.store.responses import KeptResponse
from trunkline_common.db import Database, transaction


async def get(
    database: Database, business_id: str, call_id: str
) -> tuple[Call, list[Recording], Sequence[KeptResponse | KeptCallerResponse]] | None:
    """One call, its recordings, and what was pressed in it."""
    async with transaction(database) as session:
        call = await store.get(session, business_id, call_id)
        if call is None:
            return None
        if call.attempt_id is None:
            return call, [], await _of_caller(session, business_id, call)
        return (
            call,
            await recordings.of_attempt(session, business_id, call.attempt_id),
            await responses.of_attempt(session, business_id, call.attempt_id),
        )


async def _of_caller(
    session: AsyncSession, business_id: str, call: Call
) -> list[KeptCallerResponse]:
    if call.channel_id is None or call.provider_call_id is None:
        return []
    return await caller_responses.of_call(
        session, business_id, call.channel_id, call.provider_call_id
    )


async def page(
    database: Database,
    business_id: str,
    *,
    run_id: str | None,
    direction: str | None = None,
    before: str,
    limit: int,
) -> list[Call] | None:
    """Calls, newest first; None where the business has no such run."""
    async with transaction(database) as session:
        if run_id is not None and await runs.get(session, business_id, run_id) is None:
            return None
        return await store.page(
            session, business_id, run_id=run_id, direction=direction, before=before, limit=limit
        )
