"""Files of contacts through api's own import, each beside COPY of the same into the same table."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any, Final

import httpx
from tests.benchmarks.ingest.served import Server, Tenant, api, tenant_of
from tests.benchmarks.report import Table
from tests.benchmarks.stage import Stage, loop_of, usage

from trunkline_common.ids import CONTACT, new_id

IMPORT, COPY = "import", "bare COPY"
_DEFAULT_ROWS: Final = 100_000  # as api's settings have it
_DEFAULT_BYTES: Final = 20 * 1024 * 1024
_SECONDS: Final = 1200.0
_HEAD: Final = "phone,name,email,country,order\n"
_COLUMNS: Final = ("id", "business_id", "address", "name", "email", "country", "variables")


@dataclass(frozen=True, slots=True)
class Measured:
    """Of one file."""

    contacts: int
    imported: float  # seconds
    copied: float
    cpu_seconds: float
    peak_mib: float


@dataclass(frozen=True, slots=True)
class Desk:
    """Who takes files, for which business, and for which other one the same is copied."""

    server: Server
    tenant: Tenant
    other: Tenant
    connection: Any

    def file(self, numbers: range) -> float:
        """Seconds of an upload, from the first byte to the answer."""
        lines = (f"+49171{n:07d},Person {n},person.{n}@example.com,DE,{n}\n" for n in numbers)
        data = (_HEAD + "".join(lines)).encode()
        headers = {**self.tenant.headers, "Content-Type": "text/csv"}
        began = time.perf_counter()
        answer = httpx.post(
            f"{self.server.url}/v1/imports", content=data, headers=headers, timeout=_SECONDS
        )
        took = time.perf_counter() - began
        answer.raise_for_status()
        imported = answer.json()["counts"]["imported"]
        if imported != len(numbers):
            raise SystemExit(f"benchmarks: {imported} of {len(numbers)} contacts imported")
        return took

    async def copy(self, numbers: range) -> float:
        """Seconds of COPY of the same people, for the other business."""
        business_id = self.other.business_id
        rows = [
            (new_id(CONTACT), business_id, f"+49171{n:07d}", f"Person {n}",
             f"person.{n}@example.com", "DE", json.dumps({"order": str(n)}))
            for n in numbers
        ]  # fmt: skip
        began = time.perf_counter()
        await self.connection.copy_records_to_table(
            "contacts", schema_name="api", columns=_COLUMNS, records=rows
        )
        return time.perf_counter() - began


def measure(stage: Stage, *, rows: int, file_rows: int) -> list[Measured]:
    """File by file, in turn with COPY, so that both share whatever else the machine does."""
    limits = {
        "API_UPLOAD_MAX_ROWS": str(max(_DEFAULT_ROWS, file_rows)),
        "API_UPLOAD_MAX_BYTES": str(max(_DEFAULT_BYTES, 100 * file_rows)),
    }
    found = []
    with api(stage, **limits) as server, loop_of(stage) as (runner, connection):
        desk = Desk(server, tenant_of(server), tenant_of(server), connection)
        for start in range(0, rows, file_rows):
            numbers = range(start, min(start + file_rows, rows))
            before = usage(server.pid).cpu_seconds
            imported = desk.file(numbers)
            after = usage(server.pid)
            copied = runner.run(desk.copy(numbers))
            used = after.cpu_seconds - before
            found.append(Measured(len(numbers), imported, copied, used, after.peak_mib))
    return found


def table_of(found: Sequence[Measured]) -> Table:
    """Sums of all files; the ratio is that of the file in the middle."""
    contacts = sum(one.contacts for one in found)
    ratio = median(one.copied / one.imported for one in found)
    seconds = {IMPORT: sum(f.imported for f in found), COPY: sum(f.copied for f in found)}
    cpu = 1000 * sum(one.cpu_seconds for one in found) / contacts
    more = {IMPORT: (f"{ratio:.2f}", f"{cpu:.2f}", f"{found[-1].peak_mib:.0f}")}
    rows = [
        (way, f"{contacts / s:,.0f}", f"{s:.0f}", *more.get(way, ("1.00", "", "")))
        for way, s in seconds.items()
    ]
    head = ("way", "contacts/s", "s for all", "of bare COPY", "CPU s per 1,000: api", "peak MiB")
    return Table(head, tuple(rows))


def raw_of(found: Sequence[Measured]) -> dict[str, Any]:
    """Every file, for programs."""
    return {
        IMPORT: [{"contacts_per_second": f.contacts / f.imported, **asdict(f)} for f in found],
        COPY: [{"contacts_per_second": f.contacts / f.copied} for f in found],
    }
