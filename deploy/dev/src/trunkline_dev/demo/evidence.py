"""What is known after a run: from the public API, from the sandbox's log, from the disk."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from trunkline_dev.customer import Customer, Kind

Told = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Stored:
    """A recording: its length in bytes and its checksum."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Witnessed:
    """What the provider's stand-in says it was asked, and what became of it."""

    accepted: Counter[str]  # requests per address
    outcomes: Counter[str]
    recordings: int
    first_at: datetime | None
    last_at: datetime | None

    @property
    def seconds(self) -> float:
        """From the first accepted request to the last thing that happened to one."""
        if self.first_at is None or self.last_at is None:
            return 0.0
        return (self.last_at - self.first_at).total_seconds()


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that the verdicts look at."""

    kind: Kind
    imported: Told
    run: Told
    addresses: frozenset[str]
    contacts: tuple[Told, ...]  # how each contact's turn ended
    jobs: tuple[Told, ...]  # calls with their recordings, or messages
    witnessed: Witnessed
    files: Mapping[str, Stored] = field(default_factory=dict)  # recordings on disk, by id


def witness_of(lines: Iterable[Told]) -> Witnessed:
    """Read the sandbox's lines about one account."""
    accepted: Counter[str] = Counter()
    latest: dict[str, str] = {}
    recordings: set[str] = set()
    first: str | None = None
    last: str | None = None
    for line in lines:
        kind = line["kind"]
        if kind in {"call_accepted", "message_accepted"}:
            accepted["+" + line["to"].lstrip("+")] += 1
            first = first or line["at"]
        elif kind in {"call_status", "message_status"}:
            latest[line["sid"]] = line["status"]
            last = line["at"]
        elif kind == "recording" and line["status"] == "completed":
            recordings.add(line["sid"])
    return Witnessed(
        accepted,
        Counter(latest.values()),
        len(recordings),
        datetime.fromisoformat(first) if first else None,
        datetime.fromisoformat(last) if last else None,
    )


def files_in(folder: Path, business_id: str) -> dict[str, Stored]:
    """The recordings of a business as they lie on the disk."""
    found = {}
    for path in sorted((folder / business_id).rglob("*.wav")):
        content = path.read_bytes()
        found[path.stem] = Stored(len(content), hashlib.sha256(content).hexdigest())
    return found


def gather(customer: Customer, kind: Kind, imported: Told, run_id: str) -> Evidence:
    """Ask everybody."""
    api = customer.api
    addresses = frozenset(contact["phone"] for contact in api.pages("/v1/contacts"))
    folder = customer.stack.layout.recordings
    return Evidence(
        kind=kind,
        imported=imported,
        run=customer.run(run_id),
        addresses=addresses,
        contacts=tuple(api.pages(f"/v1/runs/{run_id}/contacts")),
        jobs=_calls(customer, run_id) if kind == "voice" else _messages(customer, run_id),
        witnessed=witness_of(customer.witnessed(kind)),
        files=files_in(folder, customer.business["id"]),
    )


def _calls(customer: Customer, run_id: str) -> tuple[Told, ...]:
    """Every call; those that somebody answered are asked for whole, with their recordings."""
    listed = list(customer.api.pages(f"/v1/runs/{run_id}/calls"))

    def whole(call: Told) -> Told:
        if call["answered_at"] is None and call["outcome"] not in {"answered", "machine"}:
            return {**call, "recordings": []}
        told: Told = customer.api.get(f"/v1/calls/{call['id']}")
        return told

    with ThreadPoolExecutor(max_workers=4) as hands:
        return tuple(hands.map(whole, listed))


def _messages(customer: Customer, run_id: str) -> tuple[Told, ...]:
    return tuple(customer.api.pages(f"/v1/runs/{run_id}/messages"))
