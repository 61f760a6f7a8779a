"""Every request that messaging's gateway makes is one that Meta's own description allows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from tests.contracts.providers.spec_check import Spec, check_answer, check_request

from trunkline_common.last_byte import open_http
from trunkline_messaging.domain.answers import Result
from trunkline_messaging.gateways.meta import MetaGateway
from trunkline_messaging.gateways.whatsapp import MessageOrder

ORDER = MessageOrder("106540352242922", "EAAJB-token", "+16505551234", "hello", "att_1")
ANSWER = (
    b'{"messaging_product":"whatsapp","contacts":[{"input":"+16505551234",'
    b'"wa_id":"16505551234"}],"messages":[{"id":"wamid.HBgL"}]}'
)


class Listener:
    """Answers as Meta does, and keeps the requests as they came."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.requests.append((request.method, request.path_qs, dict(request.headers), body))
        return web.Response(body=ANSWER, content_type="application/json")


@asynccontextmanager
async def listening() -> AsyncIterator[Listener]:
    listener, app = Listener(), web.Application()
    app.router.add_route("*", "/{path:.*}", listener.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        listener.url = f"http://{host}:{port}"
        yield listener
    finally:
        await runner.cleanup()


async def _send(listener: Listener, order: MessageOrder) -> Result:
    async with open_http(1) as session:
        return await MetaGateway(session, f"{listener.url}/v23.0").send_text(order, lambda: True)


@pytest.mark.parametrize("text", ["hello", "Grüße 👋\nשלום", "x" * 4096])
async def test_a_text_message_is_one_that_meta_describes(meta_spec: Spec, text: str) -> None:
    order = MessageOrder(ORDER.account, ORDER.access_token, ORDER.to, text, ORDER.reference)
    async with listening() as listener:
        result = await _send(listener, order)
    assert result == Result("accepted", provider_id="wamid.HBgL")
    ((method, path, headers, body),) = listener.requests
    assert check_request(meta_spec, method, path, headers, body) == []


async def test_the_check_can_fail(meta_spec: Spec) -> None:
    async with listening() as listener:
        await _send(listener, ORDER)
    ((method, path, headers, body),) = listener.requests
    bad = body.replace(b'"messaging_product":"whatsapp",', b"")
    assert check_request(meta_spec, method, path, headers, bad) != []
    assert check_answer(meta_spec, method, path, 200, ANSWER) == []


@pytest.mark.parametrize(
    ("account", "token"),
    [("../me", "token"), ("12345?x=", "token"), ("123456", "to\r\nken"), ("123456", "")],
)
async def test_nothing_leaves_that_would_name_another_place(account: str, token: str) -> None:
    order = MessageOrder(account, token, ORDER.to, ORDER.text, ORDER.reference)
    async with listening() as listener:
        result = await _send(listener, order)
    assert result.kind == "misconfigured"
    assert listener.requests == []
