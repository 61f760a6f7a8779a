"""Every request that our Twilio gateway makes holds against Twilio's own API description."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qsl

import aiohttp
import pytest
from aiohttp import web
from tests.contracts.providers.spec_check import Spec, check_request

from trunkline_common.last_byte import open_http
from trunkline_outbound.domain.classification import Result
from trunkline_outbound.gateways.twilio import TwilioGateway
from trunkline_outbound.gateways.voice import CallOrder
from trunkline_sandbox.process import running_sandbox

ACCOUNT, TOKEN = "AC" + "1" * 32, "an-auth-token"
HOOK = "http://127.0.0.1:1/callbacks/twilio/chn/run/att/token"


def order(**changes: object) -> CallOrder:
    fields: dict[str, object] = {
        "account": ACCOUNT,
        "auth_token": TOKEN,
        "from_number": "+15005550006",
        "to_number": "+972501234567",
        "script_url": f"{HOOK}/twiml?cid=c&tp=00-1-2-01",
        "status_url": f"{HOOK}/status?cid=c&tp=00-1-2-01",
        "recording_url": f"{HOOK}/recording?cid=c&tp=00-1-2-01",
        "ring_timeout": 30,
        "time_limit": 600,
    }
    return CallOrder(**(fields | changes))  # type: ignore[arg-type]  # a test's fields by name


class Listener:
    """Keeps the requests that a gateway made, whole."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []

    async def hear(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.requests.append((request.method, request.path_qs, dict(request.headers), body))
        return web.json_response({"sid": "CA" + "2" * 32}, status=201)


@pytest.fixture
async def listener() -> AsyncIterator[tuple[Listener, str]]:
    heard = Listener()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", heard.hear)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    yield heard, f"http://{host}:{port}"
    await runner.cleanup()


@pytest.mark.parametrize("recording", [f"{HOOK}/recording", None], ids=["recorded", "not"])
async def test_create_call_holds_against_the_description(
    twilio_spec: Spec, listener: tuple[Listener, str], recording: str | None
) -> None:
    heard, url = listener
    async with open_http(1) as http:
        result = await TwilioGateway(http, url).place_call(
            order(recording_url=recording), lambda: True
        )
    assert result == Result("accepted", provider_id="CA" + "2" * 32)
    [(method, path, headers, body)] = heard.requests
    assert check_request(twilio_spec, method, path, headers, body) == []
    assert (b"Record=true" in body) == (recording is not None)


@pytest.mark.parametrize("detection", [None, "Enable", "DetectMessageEnd"])
async def test_detection_holds_against_the_description(
    twilio_spec: Spec, listener: tuple[Listener, str], detection: str | None
) -> None:
    heard, url = listener
    wanted = order(machine_detection=detection, detection_timeout=20)
    async with open_http(1) as http:
        await TwilioGateway(http, url).place_call(wanted, lambda: True)
    [(method, path, headers, body)] = heard.requests
    assert check_request(twilio_spec, method, path, headers, body) == []
    asked = dict(parse_qsl(body.decode()))
    assert asked.get("MachineDetection") == detection
    assert asked.get("MachineDetectionTimeout") == ("20" if detection else None)


async def test_the_checker_would_see_a_wrong_request(
    twilio_spec: Spec, listener: tuple[Listener, str]
) -> None:
    heard, url = listener
    async with open_http(1) as http:
        await TwilioGateway(http, url).place_call(order(), lambda: True)
    method, path, headers, body = heard.requests[0]
    wrong = body.replace(b"Timeout=30", b"Timeout=soon")
    assert check_request(twilio_spec, method, path, headers, wrong) != []


async def test_against_the_sandbox(tmp_path: Path) -> None:
    with running_sandbox(tmp_path / "log.jsonl") as url:
        async with aiohttp.ClientSession() as admin:
            account = {
                "account_sid": ACCOUNT,
                "auth_token": TOKEN,
                "numbers": ["+15005550006"],
                "calls_per_second": 100,
            }
            async with admin.post(f"{url}/sandbox/twilio/accounts", json=account) as answer:
                assert answer.status == 201
        async with open_http(2) as http:
            gateway = TwilioGateway(http, url)
            accepted = await gateway.place_call(order(), lambda: True)
            assert (accepted.kind, (accepted.provider_id or "")[:2]) == ("accepted", "CA")
            stranger = await gateway.place_call(order(auth_token="wrong"), lambda: True)
            assert (stranger.kind, stranger.code) == ("misconfigured", "20003")
            bad = await gateway.place_call(order(to_number="+1"), lambda: True)
            assert (bad.kind, bad.code) == ("rejected", "21211")
            foreign = await gateway.place_call(order(from_number="+15005550000"), lambda: True)
            assert foreign.kind == "misconfigured"
            withheld = await gateway.place_call(order(), lambda: False)
            assert withheld.kind == "not_sent"
            async with http.get(f"{url}/sandbox/summary") as answer:
                summary = await answer.json()
    assert summary["accepted"] == 1


async def test_nobody_listening_means_not_sent() -> None:
    async with open_http(1) as http:
        result = await TwilioGateway(http, "http://127.0.0.1:1").place_call(order(), lambda: True)
    assert result.kind == "not_sent"
