"""How fast events go through outbox, relay, RabbitMQ, consumer and inbox, beside plain aio-pika.

    python -m tests.benchmarks.fabric --events 20000 --repeat 3

The relay is api's own process, the consumer outbound's, and the effect is the row that outbound
keeps of a provider's callback. Frameworks consume as their documentation says, with no guarantee.
The ways take turns within one run.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from tests.benchmarks.dispatch import program
from tests.benchmarks.peers.events import KINDS, consumed, peers
from tests.benchmarks.peers.runners import Peer
from tests.benchmarks.raw_broker import BUSINESS, event
from tests.benchmarks.report import Table, conditions, write
from tests.benchmarks.stage import KEY, Stage, loop_of, servers, usage

from trunkline_common.db.outbox import CHANNEL
from trunkline_common.db.roles import app_role
from trunkline_common.ids import new_event_id
from trunkline_common.loops import Stop
from trunkline_common.testing.facts import eventually
from trunkline_common.topology import OUTBOUND_CALLBACKS

QUEUE = OUTBOUND_CALLBACKS.name
_SECONDS = 300.0
_ADD = """
INSERT INTO api.outbox (event_id, business_id, name, subject, payload, correlation_id)
SELECT unnest($1::text[]), $2, $3, unnest($4::text[]), unnest($5::text[]), 'benchmark'
"""
_SENT = """
SELECT count(*) AS sent, extract(epoch FROM max(sent_at) - min(occurred_at)) AS seconds
  FROM api.outbox WHERE event_id = ANY ($1::text[]) AND sent_at IS NOT NULL
"""
_APPLIED = """
SELECT count(*) AS applied, extract(epoch FROM max(applied_at) - min(applied_at)) AS seconds
  FROM outbound.inbox WHERE event_id = ANY ($1::text[])
"""
_WHOLE = """
SELECT extract(epoch FROM max(inbox.applied_at) - min(outbox.occurred_at))
  FROM api.outbox JOIN outbound.inbox USING (event_id) WHERE event_id = ANY ($1::text[])
"""
_HOPS = """
SELECT 1000 * extract(epoch FROM inbox.applied_at - outbox.occurred_at)
  FROM api.outbox JOIN outbound.inbox USING (event_id) WHERE event_id = ANY ($1::text[])
"""


@dataclass(frozen=True, slots=True)
class Figures:
    """What one repetition of one way took."""

    events: int
    seconds: float
    cpu_seconds: float

    @property
    def rate(self) -> float:
        """Events a second."""
        return self.events / self.seconds


@dataclass(frozen=True, slots=True)
class Fabric:
    """Where the events go in, and who carries them."""

    stage: Stage
    connection: Any
    relay: int
    consumer: dict[str, str]
    events: int

    async def add(self, count: int, start: int = 0) -> list[str]:
        """Commit so many facts to api's outbox, as a service does, and ring for the relay."""
        ids = [new_event_id() for _ in range(count)]
        facts = [event(start + number) for number in range(count)]
        await self.connection.execute(
            _ADD,
            ids,
            BUSINESS,
            facts[0].name,
            [fact.subject for fact in facts],
            [fact.model_dump_json() for fact in facts],
        )
        await self.connection.execute("SELECT pg_notify($1, '')", f"{app_role('api')}:{CHANNEL}")
        return ids

    async def until(self, sql: str, column: str, ids: list[str]) -> float:
        """Wait until the figure is reached for all of them; the seconds it says."""

        async def reached() -> Any:
            row = await self.connection.fetchrow(sql, ids)
            return row if row[column] == len(ids) else False

        row = await eventually(reached, within=_SECONDS, what=f"{column} = {len(ids)}")
        return float(row["seconds"])

    async def relayed(self) -> tuple[Figures, list[str]]:
        """Outbox to confirmed, nobody consuming."""
        before = usage(self.relay).cpu_seconds
        ids = await self.add(self.events)
        took = await self.until(_SENT, "sent", ids)
        return Figures(self.events, took, usage(self.relay).cpu_seconds - before), ids

    async def consumed(self, ids: list[str]) -> Figures:
        """A full queue to committed effects."""
        with program("trunkline_outbound", "consume", **self.consumer) as process:
            before = usage(process.pid).cpu_seconds
            took = await self.until(_APPLIED, "applied", ids)
            used = usage(process.pid).cpu_seconds - before
        return Figures(self.events, took, used)

    async def whole(self) -> tuple[Figures, list[float]]:
        """Everybody at work; then the latency of a hop at a tenth of that rate, in ms."""
        with program("trunkline_outbound", "consume", **self.consumer) as process:
            await self._warm(process.pid)
            pids = (self.relay, process.pid)
            before = sum(usage(pid).cpu_seconds for pid in pids)
            ids = await self.add(self.events, start=self.events)
            await self.until(_APPLIED, "applied", ids)
            used = sum(usage(pid).cpu_seconds for pid in pids) - before
            took = float(await self.connection.fetchval(_WHOLE, ids))
            figures = Figures(self.events, took, used)
            return figures, await self._hops(figures.rate / 10)

    async def _warm(self, _pid: int) -> None:
        await self.until(_APPLIED, "applied", await self.add(50, start=2 * self.events))

    async def _hops(self, per_second: float) -> list[float]:
        ids: list[str] = []
        start, pace = time.monotonic(), Stop()
        for number in range(int(3 * per_second)):
            await pace.wait(max(0.0, start + number / per_second - time.monotonic()))
            ids += await self.add(1, start=3 * self.events + number)
        await self.until(_APPLIED, "applied", ids)
        return [float(row[0]) for row in await self.connection.fetch(_HOPS, ids)]


def _raw(way: str, stage: Stage, events: int) -> Figures:
    arguments = {"--broker": stage.broker.url, "--queue": QUEUE, "--events": str(events)}
    words = [word for pair in arguments.items() for word in pair]
    with program("tests.benchmarks.raw_broker", way, *words) as process:
        said, _ = process.communicate(timeout=_SECONDS)
    return Figures(events, **json.loads(said))


def _keys() -> str:
    return f"k1:{base64.b64encode(KEY).decode()}"


def api_environment(stage: Stage) -> dict[str, str]:
    """What api's processes need here."""
    return {
        "API_DATABASE_URL": stage.urls["api"],
        "API_BROKER_URL": stage.broker.url,
        "API_PUBLIC_URL": "http://api.test",
        "API_SEALING_KEYS": _keys(),
        "API_CALLBACK_SECRET": "s" * 16,
        "API_OPERATOR_TOKEN": "t" * 16,
        "LOG_LEVEL": "WARNING",
    }


def _outbound_environment(stage: Stage) -> dict[str, str]:
    return {
        "OUTBOUND_DATABASE_URL": stage.urls["outbound"],
        "OUTBOUND_BROKER_URL": stage.broker.url,
        "OUTBOUND_SEALING_KEYS": _keys(),
        "OUTBOUND_CALLBACK_SECRET": "s" * 16,
        "OUTBOUND_CALLBACK_BASE_URL": "http://api.test",
        "LOG_LEVEL": "WARNING",
    }


RELAY, CONSUMER = "relay of the outbox", "consumer with inbox and effect"
RAW_OUT, RAW_IN = "aio-pika, pipelined confirms", "aio-pika, an ack each, empty handler"
WHOLE = "outbox to effect, both at work"


def measure(
    stage: Stage, chosen: tuple[Peer, ...], options: argparse.Namespace
) -> tuple[dict[str, list[Figures]], list[float]]:
    """Every way, in turns, so many times; and the latencies of all repetitions."""
    ways = (RELAY, RAW_OUT, CONSUMER, RAW_IN, *(way(p, kind) for p in chosen for kind in KINDS))
    found: dict[str, list[Figures]] = {one: [] for one in (*ways, WHOLE)}
    hops: list[float] = []
    api, outbound = api_environment(stage), _outbound_environment(stage)
    with ExitStack() as stack:
        runner, connection = stack.enter_context(loop_of(stage))
        relay = stack.enter_context(program("trunkline_api", "relay", **api)).pid
        fabric = Fabric(stage, connection, relay, outbound, options.events)
        for _ in range(options.repeat):
            runner.run(connection.execute("TRUNCATE outbound.call_events, outbound.inbox"))
            sent, ids = runner.run(fabric.relayed())
            found[RELAY].append(sent)
            found[CONSUMER].append(runner.run(fabric.consumed(ids)))
            found[RAW_OUT].append(_raw("publish", stage, options.events))
            found[RAW_IN].append(_raw("consume", stage, options.events))
            for peer in chosen:
                for kind in KINDS:
                    figures = _of_peer(peer, stage, kind, options.events)
                    found[way(peer, kind)].append(figures)
            both, waits = runner.run(fabric.whole())
            found[WHOLE].append(both)
            hops += waits
    return found, hops


def way(peer: Peer, kind: str) -> str:
    """As the table names it."""
    return f"{peer.name}, {kind}"


def _of_peer(peer: Peer, stage: Stage, kind: str, events: int) -> Figures:
    prefetch = OUTBOUND_CALLBACKS.prefetch
    figures = consumed(peer, stage, kind=kind, events=events, prefetch=prefetch)
    return Figures(events, **figures)


def table_of(found: Mapping[str, list[Figures]]) -> Table:
    """Medians of the repetitions, each with its ratio to the plain way."""
    rates = {one: median(f.rate for f in figures) for one, figures in found.items()}
    limit = dict.fromkeys(found, RAW_IN) | {RELAY: RAW_OUT, RAW_OUT: "", RAW_IN: "", WHOLE: ""}
    rows = []
    for one, figures in found.items():
        ratio = f"{rates[one] / rates[limit[one]]:.2f}" if limit[one] else ""
        cpu = median(1000 * f.cpu_seconds / f.events for f in figures)
        rows.append((one, f"{rates[one]:,.0f}", ratio, f"{cpu:.2f}"))
    return Table(("way", "events/s", "of plain aio-pika", "CPU s per 1,000 events"), tuple(rows))


def main() -> None:
    """Measure, and write down what came of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.fabric")
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--only", nargs="*", help="these peers; with no name none of them")
    parser.add_argument("--out", type=Path, default=Path(".local/benchmarks"))
    options = parser.parse_args()
    before = os.getloadavg()[0]
    chosen = tuple(
        peer
        for peer in peers(OUTBOUND_CALLBACKS.prefetch)
        if options.only is None or peer.name in options.only
    )
    with servers() as stage:
        found, hops = measure(stage, chosen, options)
    cuts = quantiles(hops, n=100)
    title = f"Fabric: {options.events:,} events, medians of {options.repeat}"
    raw = {
        one: [
            {
                "events_per_second": f.rate,
                "cpu_seconds_per_1000": 1000 * f.cpu_seconds / f.events,
                **asdict(f),
            }
            for f in figures
        ]
        for one, figures in found.items()
    }
    about = conditions(before) | {
        "one_hop": f"p50 {cuts[49]:.1f} ms, p99 {cuts[98]:.1f} ms at a tenth of the whole's rate"
    }
    write(options.out, "fabric", title, table_of(found), raw, about)


if __name__ == "__main__":
    main()
