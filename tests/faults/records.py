"""The records that the judge reads: our tables of all services, and the provider's own log."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Mapping
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from trunkline_common.broker.connect import open_channel, open_connection
from trunkline_common.topology import QUEUES, SERVICES, Queue, owner_of
from trunkline_common.topology import layout as fabric
from trunkline_dev.customer import read_witness
from trunkline_dev.stack import Stack

_SECONDS: Final = 15.0
Row = dict[str, Any]
T = TypeVar("T")

OUTBOXES: Final = {
    f"facts of {service}": f"SELECT count(*) FROM {service}.outbox WHERE sent_at IS NULL"  # noqa: S608
    for service in SERVICES
}
# Everything that must be nothing once all is over, of whatever run.
LEFT_OVER: Final = {
    **OUTBOXES,
    "open claims": "SELECT count(*) FROM outbound.claims WHERE closed_at IS NULL",
    "open sends": "SELECT count(*) FROM outbound.open_sends",
    "slots": "SELECT count(*) FROM outbound.slots",
    "room in use": "SELECT coalesce(sum(in_use), 0) FROM outbound.limits",
    "unfolded events of calls": "SELECT count(*) FROM outbound.call_events WHERE folded_at IS NULL",
    "unfolded events of messages": (
        "SELECT count(*) FROM outbound.message_events WHERE folded_at IS NULL"
    ),
    "open attempts": "SELECT count(*) FROM outbound.attempts WHERE state IN ('intent', 'in_doubt')",
    "open sends of messaging": "SELECT count(*) FROM messaging.open_sends",
    "messages under way": (
        "SELECT count(*) FROM messaging.messages"
        " WHERE state IN ('queued', 'waiting', 'sending', 'in_doubt')"
    ),
    "open attempts of messaging": (
        "SELECT count(*) FROM messaging.attempts WHERE state IN ('intent', 'in_doubt')"
    ),
    "recordings under way": (
        "SELECT count(*) FROM recordings.recordings WHERE state IN ('due', 'fetching')"
    ),
    "ended runs to be counted again": (
        "SELECT count(*) FROM outbound.recounts JOIN outbound.runs USING (run_id)"
        " WHERE number > counted AND state IN ('completed', 'cancelled', 'failed')"
    ),
    "open feeds": "SELECT count(*) FROM api.audience_feeds WHERE closed_at IS NULL",
    "controls without an answer": "SELECT count(*) FROM api.run_controls WHERE state = 'pending'",
}


def _unheard(queue: Queue) -> str:
    """How many facts a queue should have had and its consumer never applied.

    INVARIANT I7: every row of an outbox is published at least once, and applied once.
    """
    counts = [
        f"(SELECT count(*) FROM {producer}.outbox AS fact"  # noqa: S608 - of our own topology
        f" WHERE name IN ({', '.join(repr(name) for name in sorted(names))})"
        f" AND NOT EXISTS (SELECT FROM {queue.service}.inbox AS known"
        f" WHERE known.consumer = '{queue.name}' AND known.event_id = fact.event_id))"
        for producer, names in _heard(queue).items()
    ]
    return f"SELECT {' + '.join(counts)}"


def _heard(queue: Queue) -> dict[str, set[str]]:
    heard: dict[str, set[str]] = {}
    for event in queue.hears:
        heard.setdefault(owner_of(event), set()).add(event.name)
    return heard


UNHEARD: Final = {f"facts that {queue.name} never had": _unheard(queue) for queue in QUEUES}


class Records:
    """Asks the servers themselves, past every link that may be cut."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        parts = urlsplit(stack.layout.servers.postgres_url)
        self.url = urlunsplit(parts._replace(path="/" + stack.layout.database))

    def make_durable(self) -> None:
        """Commits wait for their log, as in earnest: throwaway servers do not."""
        self.rows(f'ALTER DATABASE "{self._stack.layout.database}" SET synchronous_commit = on')

    def rows(self, sql: str, *arguments: object) -> list[Row]:
        """The rows of one query."""
        return _run(self._rows([(sql, arguments)]))[0]

    def many(self, queries: Iterable[str]) -> list[list[Row]]:
        """The rows of several queries, over one connection."""
        return _run(self._rows([(sql, ()) for sql in queries]))

    async def _rows(self, queries: list[tuple[str, tuple[object, ...]]]) -> list[list[Row]]:
        connection = await asyncpg.connect(self.url, timeout=_SECONDS)
        try:
            return [
                [dict(row) for row in await connection.fetch(sql, *arguments, timeout=_SECONDS)]
                for sql, arguments in queries
            ]
        finally:
            await connection.close(timeout=_SECONDS)

    def state(self, run_id: str) -> str:
        """A run's state at outbound."""
        found = self.rows("SELECT state FROM outbound.runs WHERE run_id = $1", run_id)
        return str(found[0]["state"]) if found else "unknown"

    def attempts(self, run_id: str) -> int:
        """How many attempts a run has made."""
        sql = "SELECT count(*) AS count FROM outbound.attempts WHERE run_id = $1"
        return int(self.rows(sql, run_id)[0]["count"])

    def witness(self) -> list[Row]:
        """Every line of the provider's log."""
        return list(read_witness(self._stack))

    def left_over(self, asked: Mapping[str, str] = LEFT_OVER | UNHEARD) -> dict[str, int]:
        """What is still under way, by its name."""
        counts = {
            name: int(next(iter(rows[0].values())))
            for name, rows in zip(asked, self.many(asked.values()), strict=True)
        }
        return {name: count for name, count in counts.items() if count}

    def facts(self) -> tuple[int, int]:
        """How many facts left outboxes, and how often consumers applied one."""
        counted = self.many(
            f"SELECT count(*) AS count FROM {service}.{table}"  # noqa: S608 - of our own topology
            for table in ("outbox", "inbox")
            for service in SERVICES
        )
        counts = [int(rows[0]["count"]) for rows in counted]
        return sum(counts[: len(SERVICES)]), sum(counts[len(SERVICES) :])

    def queued(self) -> dict[str, int]:
        """Messages that wait in any queue, dead ones too."""
        return _run(self._queued())

    async def _queued(self) -> dict[str, int]:
        depths = {}
        url = self._stack.layout.broker_url
        async with (
            open_connection(url, "faults") as connection,
            open_channel(connection) as channel,
        ):
            for queue in fabric().queues:
                declared = await channel.declare_queue(queue.name, passive=True)
                depths[queue.name] = declared.declaration_result.message_count or 0
        return {name: depth for name, depth in depths.items() if depth}


def _run(work: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner() as runner:
        return runner.run(work)
