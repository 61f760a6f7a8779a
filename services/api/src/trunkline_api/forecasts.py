"""What would become of a run: counted by outbound, whose rules they are; shown with the run.

Outbound has the audience of a run that was started. A draft's is here, and goes to outbound in
pieces that it keeps nothing of: the tally comes back, and goes with the next piece.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_api import errors
from trunkline_api.domain.controls import FINAL_RUN
from trunkline_api.gateways.forecasts import Counted, DraftCounter, Piece
from trunkline_api.store import forecasts as store
from trunkline_api.store import imports, runs
from trunkline_api.store.forecasts import FORETOLD, Asked, Listed
from trunkline_api.store.runs import Run
from trunkline_common.contracts.runs import RunForecastRequested
from trunkline_common.db import Database, outbox, transaction
from trunkline_common.db.outbox import Fact

PATIENCE_SECONDS: Final = 2.0  # how long a request waits for the answer
IDLE_SECONDS: Final = 5.0  # a draft that its own request has left is gone on with after this
TURN_SECONDS: Final = 10.0  # of a large draft, before it is the next one's turn
PIECE: Final = 1_000  # contacts in one request to outbound, and the most that it takes
_LOOK_SECONDS: Final = 0.25  # a hint may be lost


@dataclass(frozen=True, slots=True)
class Foretold:
    """A run with its last forecast, and whether a newer one is on its way."""

    run: Run
    asked_at: datetime | None
    is_open: bool


async def ask(
    database: Database, counter: DraftCounter, business_id: str, run_id: str, *, correlation_id: str
) -> Foretold:
    """Ask, and wait a moment for the answer. Without one it is counted on: see `get`."""
    async with transaction(database) as session:
        run = await runs.lock(session, business_id, run_id)
        if run is None:
            raise errors.not_found("run")
        if run.state in FINAL_RUN or run.state == "cancelling":
            raise errors.run_over(run.state)
        asked = await store.ask(session, business_id, run_id)
        if run.state != "draft":
            event = RunForecastRequested(run_id=run_id, asked=asked.asked)
            await outbox.add(session, Fact(event, business_id, correlation_id))
    if run.state == "draft":
        await _count_for_a_while(database, counter, asked)
    else:
        await _answered(database, asked)
    return await get(database, business_id, run_id)


async def get(database: Database, business_id: str, run_id: str) -> Foretold:
    """What was foreseen last."""
    async with transaction(database) as session:
        run = await runs.get(session, business_id, run_id)
        if run is None:
            raise errors.not_found("run")
        asked = await store.get(session, business_id, run_id)
    if asked is None:
        return Foretold(run, None, is_open=False)
    return Foretold(run, asked.asked_at, asked.is_open)


async def _answered(database: Database, asked: Asked) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + PATIENCE_SECONDS
    with database.waker.bell(FORETOLD) as bell:
        while (left := deadline - loop.time()) > 0:
            bell.clear()
            async with transaction(database) as session:
                now = await store.get(session, asked.business_id, asked.run_id)
            if now is None or now.answered >= asked.asked:
                return
            await bell.wait(min(left, _LOOK_SECONDS))


async def _count_for_a_while(database: Database, counter: DraftCounter, asked: Asked) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + PATIENCE_SECONDS
    goes_on: Asked | None = asked
    while goes_on is not None and loop.time() < deadline:
        goes_on = await count_some(database, counter, goes_on)


async def count_next(
    database: Database, counter: DraftCounter, *, idle: float = IDLE_SECONDS
) -> bool:
    """Go on with a draft that its request has left; whether there was one."""
    async with transaction(database) as session:
        asked = await store.next_draft(session, idle=idle)
    if asked is None:
        return False
    until = time.monotonic() + TURN_SECONDS
    while asked is not None and time.monotonic() < until:
        asked = await count_some(database, counter, asked)
    return True


async def count_some(
    database: Database, counter: DraftCounter, asked: Asked, *, piece: int = PIECE
) -> Asked | None:
    """Let outbound count one piece; where to go on, None if there is no more to do.

    No transaction is open while outbound counts; the mark is compared when its answer is kept.
    """
    async with transaction(database) as session:
        run = await runs.get(session, asked.business_id, asked.run_id)
        if run is None or run.state != "draft":
            return None  # it was started: outbound counts it once its audience is frozen
        began = await store.clock(session)
        people = await store.listed(session, asked, run.list_id, limit=piece)
        left_out = await _left_out(session, run)
    is_last = len(people) < piece
    counted = await counter.count(Piece(run, asked.tally, people, is_last, left_out))
    async with transaction(database) as session:
        return await _keep(session, asked, people, counted, began)


async def _keep(
    session: AsyncSession,
    asked: Asked,
    people: list[Listed],
    counted: Counted,
    began: datetime,
) -> Asked | None:
    if counted.forecast is None:
        kept = await store.advance(session, asked, people[-1], counted.tally)
        return await store.get(session, asked.business_id, asked.run_id) if kept else None
    await store.answer(
        session,
        asked.business_id,
        asked.run_id,
        asked=asked.asked,
        forecast=counted.forecast,
        at=began,
    )
    return None


async def _left_out(session: AsyncSession, run: Run) -> int | None:
    """How many repetitions the audience's file had; contacts themselves are never two."""
    if run.audience != "import" or run.list_id is None:
        return None
    read = await imports.get(session, run.business_id, run.list_id)
    return read.duplicates_in_file if read else None
