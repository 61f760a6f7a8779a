"""The decision log of a business's own runs, which outbound keeps and answers."""

from __future__ import annotations

from collections.abc import Sequence

from trunkline_api import errors, runs
from trunkline_api.gateways.outbound import Line, OutboundLog
from trunkline_common.db import Database


async def of_contact(
    database: Database,
    outbound: OutboundLog,
    business_id: str,
    run_id: str,
    seq: int,
    *,
    after: str | None,
    limit: int,
) -> Sequence[Line]:
    """What happened to one contact of a run, in the order of time.

    INVARIANT I5: whose run it is, api's own rows say, before outbound is asked for anything.
    """
    await _check_own(database, business_id, run_id)
    lines = await outbound.of_job(business_id, run_id, seq, after=after, limit=limit)
    if lines is None:
        raise errors.not_found("contact in this run")
    return lines


async def of_run(
    database: Database,
    outbound: OutboundLog,
    business_id: str,
    run_id: str,
    *,
    before: int | None,
    limit: int,
) -> Sequence[Line]:
    """A run's decisions, newest first."""
    await _check_own(database, business_id, run_id)
    return await outbound.of_run(business_id, run_id, before=before, limit=limit)


async def _check_own(database: Database, business_id: str, run_id: str) -> None:
    if await runs.get(database, business_id, run_id) is None:
        raise errors.not_found("run")
