"""Watches over the tables while processes are killed: what each left behind, and until when.

A process that died can change nothing any more. So whatever it held is known by its number, right
after its end: claims, attempts without a result, facts it had claimed, recordings it fetched. Its
work is taken over when none of that is left as it was; it is back when another is ready.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import asyncpg

POLL_SECONDS: Final = 0.15
_DEADLINE: Final = 15.0

_ATTEMPTS: Final = """
SELECT claim_id::text AS held_by, attempt_id, state = 'intent' AS fresh
  FROM outbound.attempts WHERE state IN ('intent', 'in_doubt')
UNION ALL
SELECT split_part(owner, ':', 2), attempt_id || number, state = 'intent'
  FROM messaging.attempts WHERE state IN ('intent', 'in_doubt')
"""
_CLAIMS: Final = """
SELECT claim_id::text AS id, split_part(owner, ':', 2) AS pid FROM outbound.claims
 WHERE closed_at IS NULL AND owner IS NOT NULL
"""
_FETCHES: Final = """
SELECT recording_id::text AS id, split_part(owner, ':', 2) AS pid FROM recordings.recordings
 WHERE state = 'fetching'
"""
_CLAIMED_FACTS: Final = """
SELECT position::text AS id FROM {service}.outbox
 WHERE sent_at IS NULL AND claimed_until IS NOT NULL
"""
_UNFOLDED: Final = "SELECT event_id AS id FROM outbound.call_events WHERE folded_at IS NULL"


@dataclass
class Death:
    """One kill: who, how, and what became of what it held. Seconds are since its end."""

    part: str
    name: str
    pid: int
    how: str
    at: float
    attempts: set[str] = field(default_factory=set)  # intents without a result
    things: set[str] = field(default_factory=set)  # everything else that it held
    taken_over: float | None = None
    resolved: float | None = None
    ready: float | None = None
    looked: bool = False

    @property
    def recovered(self) -> float | None:
        """Until its work was taken over and another was ready."""
        if self.taken_over is None or self.ready is None:
            return None
        return max(self.taken_over, self.ready)

    @property
    def is_open(self) -> bool:
        return None in (self.taken_over, self.resolved, self.ready)

    def told(self) -> str:
        """Who died, where, and what is still to come of it."""
        found = {"taken over": self.taken_over, "resolved": self.resolved, "ready": self.ready}
        open_ones = ", ".join(what for what, seconds in found.items() if seconds is None)
        return f"{self.name} at {self.how}: not {open_ones}"


@dataclass(frozen=True, slots=True)
class Seen:
    """One look at the tables: who holds what, by the number of a process or the name of a part."""

    fresh: dict[str, str]  # attempt in intent → its claim, or its owner's number
    open: set[str]  # attempts in intent or in doubt
    held: dict[str, set[str]]  # number → claims and recordings
    facts: dict[str, set[str]]  # service → facts that a relay has claimed
    unfolded: set[str]

    def of(self, death: Death) -> tuple[set[str], set[str]]:
        """What this process held: its attempts, and the rest."""
        number = str(death.pid)
        mine = self.held.get(number, set())
        attempts = {one for one, by in self.fresh.items() if by == number or f"c{by}" in mine}
        return attempts, mine | self._machinery(death)

    def _machinery(self, death: Death) -> set[str]:
        service = death.name.partition("-")[0]
        found: set[str] = set()
        if death.part in {"relay", "api", "messaging", "recordings"}:
            found |= self.facts.get(service, set())
        if death.part == "reconcile":
            found |= self.unfolded
        return found

    def left(self, death: Death) -> tuple[set[str], set[str]]:
        """Of what it held then: what is still as it was, and what is without a result."""
        mine = self.held.get(str(death.pid), set()) | self._machinery(death)
        still = (death.attempts & self.fresh.keys()) | (death.things & mine)
        return still, death.attempts & self.open


class Coroner:
    """Looks several times a second, on a thread and over a connection of its own."""

    def __init__(self, url: str, is_ready: Callable[[str], bool]) -> None:
        self._url = url
        self._is_ready = is_ready
        self._lock = threading.Lock()
        self._over = threading.Event()
        self.deaths: list[Death] = []
        self.failed: BaseException | None = None

    @contextmanager
    def watch(self) -> Iterator[Coroner]:
        """Look, until the block ends."""
        thread = threading.Thread(target=self._run, name="coroner")
        thread.start()
        try:
            yield self
        finally:
            self._over.set()
            thread.join(timeout=60)

    def note(self, death: Death) -> Death:
        """Somebody has died just now: is gone already."""
        with self._lock:
            self.deaths.append(death)
        return death

    def open(self) -> list[Death]:
        """Whose work is not taken up yet."""
        with self._lock:
            return [one for one in self.deaths if one.is_open]

    def _run(self) -> None:
        try:
            asyncio.run(self._look_on())
        except BaseException as error:
            self.failed = error
            raise

    async def _look_on(self) -> None:
        while not self._over.is_set():
            try:
                connection = await asyncpg.connect(self._url, timeout=_DEADLINE)
                try:
                    await self._look_by(connection)
                finally:
                    connection.terminate()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
                self._over.wait(POLL_SECONDS)

    async def _look_by(self, connection: Any) -> None:
        while not self._over.wait(POLL_SECONDS):
            if waiting := self.open():
                self._judge(waiting, await _look(connection))

    def _judge(self, waiting: Sequence[Death], seen: Seen) -> None:
        ready: dict[str, bool] = {}
        now = time.monotonic()
        for death in waiting:
            if not death.looked:
                death.attempts, death.things = seen.of(death)
                death.looked = True
            still, without_result = seen.left(death)
            if death.taken_over is None and not still:
                death.taken_over = now - death.at
            if death.resolved is None and not without_result:
                death.resolved = now - death.at
            if death.ready is None:
                if death.name not in ready:
                    ready[death.name] = self._is_ready(death.name)
                death.ready = time.monotonic() - death.at if ready[death.name] else None


async def _look(connection: Any) -> Seen:
    attempts = await connection.fetch(_ATTEMPTS, timeout=_DEADLINE)
    held: dict[str, set[str]] = {}
    for prefix, sql in (("c", _CLAIMS), ("r", _FETCHES)):
        for row in await connection.fetch(sql, timeout=_DEADLINE):
            held.setdefault(row["pid"], set()).add(prefix + row["id"])
    facts = {}
    for service in ("api", "outbound", "messaging", "recordings"):
        sql = _CLAIMED_FACTS.format(service=service)
        facts[service] = {
            service + row["id"] for row in await connection.fetch(sql, timeout=_DEADLINE)
        }
    unfolded = {row["id"] for row in await connection.fetch(_UNFOLDED, timeout=_DEADLINE)}
    return Seen(
        {row["attempt_id"]: row["held_by"] for row in attempts if row["fresh"]},
        {row["attempt_id"] for row in attempts},
        held,
        facts,
        unfolded,
    )
