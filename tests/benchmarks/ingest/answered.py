"""Callbacks and requests a second at api, each beside the bare application's."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any, Final
from urllib.parse import urlencode

from tests.benchmarks.ingest import load
from tests.benchmarks.ingest.bare import BUSINESS
from tests.benchmarks.ingest.served import (
    PUBLIC_URL,
    SECRET,
    Server,
    Tenant,
    both,
    channel_of,
    tenant_of,
)
from tests.benchmarks.report import Table
from tests.benchmarks.stage import ACCOUNT, SENDER, TOKEN, Stage, loop_of, usage
from twilio.request_validator import RequestValidator

from trunkline_common.callbacks import callback_token
from trunkline_common.ids import ATTEMPT, RUN, new_id

CALLBACK, POST, GET = "callback", "POST of a contact", "GET of a contact"
BARE: Final = {
    CALLBACK: "bare insert of a callback",
    POST: "bare insert of a contact",
    GET: "bare select of a contact",
}
_FORM_TYPE: Final = {"Content-Type": "application/x-www-form-urlencoded"}
_JSON: Final = {"Content-Type": "application/json"}
_KNOWN: Final = "SELECT id FROM {} WHERE business_id = $1 ORDER BY id LIMIT $2"


@dataclass(frozen=True, slots=True)
class Figures:
    """What one repetition of one way took."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    cpu_seconds: float

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds

    @property
    def cpu_per_1000(self) -> float:
        """CPU seconds of the process for a thousand requests."""
        return 1000 * self.cpu_seconds / self.requests


Found = dict[str, list[Figures]]


@dataclass(frozen=True, slots=True)
class Desk:
    """Who asks, whom, and how many at a time."""

    api: Server
    bare: Server
    tenant: Tenant
    channel_id: str
    connections: int

    def took(self, server: Server, requests: Sequence[str], expected: str) -> Figures:
        """All of them answered by one of the two, or the end of the benchmark."""
        before = usage(server.pid).cpu_seconds
        answers = load.pressed(server.port, requests, self.connections)
        used = usage(server.pid).cpu_seconds - before
        if answers.statuses != {expected: len(requests)}:
            raise SystemExit(f"benchmarks: {len(requests)} requests, answers {answers.statuses}")
        return Figures(len(requests), answers.seconds, answers.p50_ms, answers.p99_ms, used)


@contextmanager
def desk_of(stage: Stage, connections: int) -> Iterator[Desk]:
    """Both processes, and a business with a channel."""
    with both(stage) as (api, bare):
        tenant = tenant_of(api)
        yield Desk(api, bare, tenant, channel_of(api, tenant), connections)


def form_of(number: int) -> dict[str, str]:
    """What Twilio says when it rings somewhere."""
    return {
        "Called": f"+49171{number:07d}",
        "ToState": "",
        "CallerCountry": "US",
        "Direction": "outbound-api",
        "Timestamp": "Wed, 25 Nov 2026 00:00:00 +0000",
        "CallbackSource": "call-progress-events",
        "SipResponseCode": "180",
        "SequenceNumber": "1",
        "CallSid": f"CA{number:032x}",
        "To": f"+49171{number:07d}",
        "From": SENDER,
        "AccountSid": ACCOUNT,
        "CallStatus": "ringing",
        "ApiVersion": "2010-04-01",
        "Caller": SENDER,
    }


def _callbacks(desk: Desk, numbers: range) -> tuple[list[str], list[str]]:
    """The same forms to both: signed to api, of attempts of one run."""
    run_id, validator = new_id(RUN), RequestValidator(TOKEN)
    signed, plain = [], []
    for number in numbers:
        attempt_id, form = new_id(ATTEMPT), form_of(number)
        token = callback_token(SECRET, desk.channel_id, run_id, attempt_id)
        path = (
            f"/callbacks/twilio/{desk.channel_id}/{run_id}/{attempt_id}/{token}/status"
            f"?cid=benchmark-{number:08d}&tp="
        )
        signature = validator.compute_signature(PUBLIC_URL + path, form)
        body = urlencode(form).encode()
        headers = {**_FORM_TYPE, "X-Twilio-Signature": signature}
        signed.append(load.request("POST", path, headers, body))
        bare_path = f"/callbacks/{desk.channel_id}/{attempt_id}"
        plain.append(load.request("POST", bare_path, _FORM_TYPE, body))
    return signed, plain


def _posts(desk: Desk, numbers: range) -> tuple[list[str], list[str]]:
    ours, plain = [], []
    for number in numbers:
        asked = {
            "phone": f"+49172{number:07d}",
            "name": f"Person {number}",
            "email": f"person.{number}@example.com",
            "country": "DE",
            "variables": {"order": str(number)},
        }
        body = json.dumps(asked).encode()
        ours.append(load.request("POST", "/v1/contacts", _JSON | desk.tenant.headers, body))
        plain.append(load.request("POST", "/contacts", _JSON, body))
    return ours, plain


async def _gets(desk: Desk, connection: Any, count: int) -> tuple[list[str], list[str]]:
    """Of contacts that the POSTs before have made."""
    sides = []
    for table, business_id, path, headers in (
        ("api.contacts", desk.tenant.business_id, "/v1/contacts", desk.tenant.headers),
        ("api.bare_contacts", BUSINESS, "/contacts", {}),
    ):
        rows = await connection.fetch(_KNOWN.format(table), business_id, count)
        sides.append([load.request("GET", f"{path}/{row[0]}", headers) for row in rows])
    ours, plain = sides
    return ours, plain


def measure(stage: Stage, *, callbacks: int, requests: int, connections: int, repeat: int) -> Found:
    """Every way, in turns, so many times; a short one of each before them."""
    found: Found = {way: [] for kind in (CALLBACK, POST, GET) for way in (kind, BARE[kind])}
    with desk_of(stage, connections) as desk, loop_of(stage) as (runner, connection):
        start = 0
        for repetition in range(repeat + 1):
            counts = (callbacks, requests) if repetition else (2 * connections, 2 * connections)
            numbers = [range(start, start + count) for count in counts]
            pairs = {CALLBACK: _callbacks(desk, numbers[0]), POST: _posts(desk, numbers[1])}
            one = {kind: _pair(desk, kind, *pair) for kind, pair in pairs.items()}
            one[GET] = _pair(desk, GET, *runner.run(_gets(desk, connection, counts[1])))
            start += max(counts)
            if repetition:
                for kind, (ours, plain) in one.items():
                    found[kind].append(ours)
                    found[BARE[kind]].append(plain)
    return found


def _pair(
    desk: Desk, kind: str, ours: Sequence[str], plain: Sequence[str]
) -> tuple[Figures, Figures]:
    expected = {CALLBACK: "204", POST: "201", GET: "200"}[kind]
    return desk.took(desk.api, ours, expected), desk.took(desk.bare, plain, expected)


def table_of(found: Mapping[str, Sequence[Figures]]) -> Table:
    """Medians of the repetitions, each with its ratio to the bare application."""
    rates = {way: median(one.rate for one in ones) for way, ones in found.items()}
    rows = []
    for way, ones in found.items():
        ratio = f"{rates[way] / rates[BARE[way]]:.2f}" if way in BARE else ""
        p50, p99 = median(one.p50_ms for one in ones), median(one.p99_ms for one in ones)
        cpu = median(one.cpu_per_1000 for one in ones)
        rows.append((way, f"{rates[way]:,.0f}", ratio, f"{p50:.0f}", f"{p99:.0f}", f"{cpu:.2f}"))
    head = ("way", "a second", "of bare", "p50 ms", "p99 ms", "CPU s per 1,000")
    return Table(head, tuple(rows))


def raw_of(found: Mapping[str, Sequence[Figures]]) -> dict[str, Any]:
    """Every repetition, for programs."""
    return {
        way: [
            {
                "requests_per_second": one.rate,
                "cpu_seconds_per_1000": one.cpu_per_1000,
                **asdict(one),
            }
            for one in ones
        ]
        for way, ones in found.items()
    }
