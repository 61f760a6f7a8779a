"""How fast an audience becomes jobs, and that memory does not grow with it, beside bare COPY.

    python -m tests.benchmarks.audience --contacts 1000000

Chunks of a thousand go through what outbound's consumer does with them: decoded, in batches of its
prefetch, each a transaction with its inbox. The bound is COPY of the same rows into a table with
the same keys and nothing else: no number without a gap, no duplicate looked for, no chunk noted.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar, cast

import asyncpg
from aio_pika.abc import AbstractIncomingMessage
from tests.benchmarks.report import Table, conditions, write
from tests.benchmarks.stage import Stage, servers, usage

from trunkline_common import topology
from trunkline_common.broker.batches import Batches, Delivery
from trunkline_common.broker.envelope import Wire, decode, encode
from trunkline_common.contracts.api import (
    AudienceContact,
    RunAudienceAdded,
    RunContent,
    RunPolicy,
    RunRequested,
)
from trunkline_common.contracts.envelope import Envelope, Event
from trunkline_common.db import Database, open_database, transaction
from trunkline_common.ids import BUSINESS, CHANNEL, RUN, new_event_id, new_id
from trunkline_outbound import runs
from trunkline_outbound.consumer import HANDLERS

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


def _delivered(event: RunAudienceAdded, business_id: str) -> Delivery:
    """As it comes from the broker: to be decoded, and to be noted in the inbox."""
    heard = _heard(event, business_id)
    wire = Wire(
        event_id=heard.id,
        business_id=business_id,
        name=event.name,
        subject=event.subject,
        payload=event.model_dump_json(),
        correlation_id=heard.correlation_id,
        occurred_at=heard.occurred_at,
    )
    sent = encode(wire, "api").message
    message = SimpleNamespace(headers=sent.headers, body=sent.body)
    return Delivery(cast(AbstractIncomingMessage, message))


@dataclass(frozen=True, slots=True)
class Measured:
    """Of one repetition: seconds of both ways, and the process's peak at each tenth of it."""

    contacts: int
    frozen: float
    copied: float
    peaks_mib: list[float]


async def _requested(database: Database, run_id: str, business_id: str) -> None:
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


async def _frozen(batches: Batches, events: Sequence[RunAudienceAdded], business_id: str) -> float:
    """The seconds of what a consumer does with a batch, but for talking to the broker."""
    deliveries = [_delivered(event, business_id) for event in events]
    began = time.perf_counter()
    for delivery in deliveries:
        delivery.envelope = decode(delivery.message)
    await batches.apply(deliveries)
    return time.perf_counter() - began


async def _copied(connection: Any, event: RunAudienceAdded) -> float:
    first = (event.chunk - 1) * CHUNK
    rows = [
        ("run_1", first + n, "biz_1", person.contact_id, person.address)
        for n, person in enumerate(event.contacts)
    ]
    began = time.perf_counter()
    await connection.copy_records_to_table(
        "bare", records=rows, columns=_COLUMNS, schema_name="outbound"
    )
    return time.perf_counter() - began


async def _repetition(connection: Any, database: Database, chunks: int) -> Measured:
    """Both ways, batch by batch in turn, so that they share whatever else the machine does."""
    run_id, business_id = new_id(RUN), new_id(BUSINESS)
    await _requested(database, run_id, business_id)
    await connection.execute("TRUNCATE outbound.bare")
    queue = topology.OUTBOUND_AUDIENCE
    batches = Batches(queue, HANDLERS[queue], database)
    frozen, copied, peaks = 0.0, 0.0, []
    for first in range(0, chunks, queue.prefetch):
        events = [
            RunAudienceAdded(run_id=run_id, chunk=chunk + 1, contacts=_people(chunk))
            for chunk in range(first, min(first + queue.prefetch, chunks))
        ]
        frozen += await _frozen(batches, events, business_id)
        for event in events:
            copied += await _copied(connection, event)
        peaks.append(usage(os.getpid()).peak_mib)
    made = int(await connection.fetchval(_COUNT, run_id))
    if made != chunks * CHUNK:
        raise SystemExit(f"benchmarks: {made} jobs of {chunks * CHUNK} contacts")
    return Measured(made, frozen, copied, peaks[:: max(1, len(peaks) // 10)])


async def measure(stage: Stage, contacts: int, repeat: int) -> list[Measured]:
    """So many runs, one after the other."""
    connection = await asyncpg.connect(stage.superuser_url, timeout=10, command_timeout=600)
    await connection.execute(_BARE)
    async with open_database(stage.urls["outbound"], application="benchmark") as database:
        found = [await _repetition(connection, database, contacts // CHUNK) for _ in range(repeat)]
    await connection.close()
    return found


def _table(found: Sequence[Measured]) -> Table:
    """Of the repetition in the middle, by the share of bare COPY."""
    ranked = sorted(found, key=lambda one: one.copied / one.frozen)
    one = ranked[len(ranked) // 2]
    rows = []
    for way, seconds in (("chunks become jobs", one.frozen), ("bare COPY", one.copied)):
        share = f"{one.copied / seconds:.2f}"
        rows.append((way, f"{one.contacts / seconds:,.0f}", f"{seconds:.1f}", share))
    return Table(("way", "contacts/s", "s for these", "of bare COPY"), tuple(rows))


def main() -> None:
    """Measure, and write down what came of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.audience")
    parser.add_argument("--contacts", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path(".local/benchmarks"))
    options = parser.parse_args()
    before = os.getloadavg()[0]
    with servers() as stage:
        found = asyncio.run(measure(stage, options.contacts, options.repeat))
    peaks = [peak for one in found for peak in one.peaks_mib]
    title = (
        f"Audience: {found[0].contacts:,} contacts, the middle of {len(found)};"
        f" peak {peaks[0]:.0f} MiB after the first batch, {peaks[-1]:.0f} MiB at the end"
    )
    raw = {"repetitions": [asdict(one) for one in found]}
    write(options.out, "audience", title, _table(found), raw, conditions(before))


if __name__ == "__main__":
    main()
