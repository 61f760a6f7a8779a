"""How fast an audience becomes jobs, and that memory does not grow with it, beside bare COPY.

    python -m tests.benchmarks.audience --contacts 1000000

Chunks of a thousand go through outbound's own handlers, each in its transaction, as its consumer
calls them. The bound is COPY of the same rows into a table with the same keys and nothing else:
no number without a gap, no duplicate looked for, no chunk kept.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
from tests.benchmarks.report import Table, conditions, write
from tests.benchmarks.stage import Stage, servers, usage

from trunkline_common.contracts.api import (
    AudienceContact,
    RunAudienceAdded,
    RunAudienceClosed,
    RunContent,
    RunPolicy,
    RunRequested,
)
from trunkline_common.contracts.envelope import Envelope, Event
from trunkline_common.db import Database, open_database, transaction
from trunkline_common.ids import BUSINESS, CHANNEL, RUN, new_event_id, new_id
from trunkline_outbound import runs

CHUNK = 1_000
_BARE = "CREATE TABLE outbound.bare (LIKE outbound.jobs INCLUDING ALL)"
_COLUMNS = ("run_id", "seq", "business_id", "contact_id", "address")
_COUNT = "SELECT count(*) FROM outbound.jobs WHERE run_id = $1"


E = TypeVar("E", bound=Event)


def _heard(event: E, business_id: str) -> Envelope[E]:
    return Envelope(
        id=new_event_id(),
        source="/trunkline/benchmark",
        event=event,
        business_id=business_id,
        occurred_at=datetime.now(UTC),
        correlation_id="benchmark",
    )


def _people(chunk: int) -> tuple[AudienceContact, ...]:
    first = chunk * CHUNK
    return tuple(
        AudienceContact(contact_id=f"con_{n:026}", address=f"+1202{n:010}")
        for n in range(first, first + CHUNK)
    )


async def _frozen(database: Database, chunks: int) -> tuple[str, float, list[float]]:
    """A run and its audience; the seconds, and the peak of memory at each tenth."""
    run_id, business_id = new_id(RUN), new_id(BUSINESS)
    wanted = RunRequested(
        run_id=run_id,
        display_name="benchmark",
        channel="voice",
        channel_id=new_id(CHANNEL),
        content=RunContent(script="hello", text="hello"),
        policy=RunPolicy(),
    )
    async with transaction(database) as session:
        await runs.request(session, _heard(wanted, business_id))
    peaks, seconds = [], 0.0
    for chunk in range(chunks):
        event = RunAudienceAdded(run_id=run_id, chunk=chunk + 1, contacts=_people(chunk))
        began = time.perf_counter()
        async with transaction(database) as session:
            await runs.add_audience(session, _heard(event, business_id))
        seconds += time.perf_counter() - began
        if chunk % max(1, chunks // 10) == 0:
            peaks.append(usage(os.getpid()).peak_mib)
    end = RunAudienceClosed(run_id=run_id, chunks=chunks, contacts=chunks * CHUNK)
    async with transaction(database) as session:
        await runs.close_audience(session, _heard(end, business_id))
    return run_id, seconds, peaks


async def _copied(connection: Any, chunks: int) -> float:
    await connection.execute(_BARE)
    seconds = 0.0
    for chunk in range(chunks):
        rows = [
            ("run_1", chunk * CHUNK + n, "biz_1", person.contact_id, person.address)
            for n, person in enumerate(_people(chunk))
        ]
        began = time.perf_counter()
        await connection.copy_records_to_table(
            "bare", records=rows, columns=_COLUMNS, schema_name="outbound"
        )
        seconds += time.perf_counter() - began
    return seconds


async def measure(stage: Stage, contacts: int) -> dict[str, Any]:
    """Both ways, one after the other."""
    chunks = contacts // CHUNK
    connection = await asyncpg.connect(stage.superuser_url, timeout=10, command_timeout=600)
    async with open_database(stage.urls["outbound"], application="benchmark") as database:
        run_id, seconds, peaks = await _frozen(database, chunks)
    made = await connection.fetchval(_COUNT, run_id)
    if made != chunks * CHUNK:
        raise SystemExit(f"benchmarks: {made} jobs of {chunks * CHUNK} contacts")
    copied = await _copied(connection, chunks)
    await connection.close()
    return {"contacts": made, "frozen": seconds, "copied": copied, "peaks_mib": peaks}


def main() -> None:
    """Measure, and write down what came of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.audience")
    parser.add_argument("--contacts", type=int, default=1_000_000)
    parser.add_argument("--out", type=Path, default=Path(".local/benchmarks"))
    options = parser.parse_args()
    before = os.getloadavg()[0]
    with servers() as stage:
        found = asyncio.run(measure(stage, options.contacts))
    made, peaks = found["contacts"], found["peaks_mib"]
    table = Table(
        ("way", "contacts/s", "s for these", "peak MiB, first tenth and last"),
        (
            (
                "chunks become jobs",
                f"{made / found['frozen']:,.0f}",
                f"{found['frozen']:.0f}",
                f"{peaks[0]:.0f}, {peaks[-1]:.0f}",
            ),
            ("bare COPY", f"{made / found['copied']:,.0f}", f"{found['copied']:.0f}", ""),
        ),
    )
    write(options.out, "audience", f"Audience: {made:,} contacts", table, found, conditions(before))


if __name__ == "__main__":
    main()
