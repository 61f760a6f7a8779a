"""Odd input is refused or survived: the witness must outlive every customer."""

import pytest
from tests.integration.sandbox.customers import Customer
from tests.integration.sandbox.test_call_life import ANSWERED, BUSY

ODD_URLS = [
    "http://127.0.0.1:9/ü?q=ö",
    "http://[::1/x",
    "http://ex ample.com/",
    "http://127.0.0.1:99999/",
    "http://127.0.0.1:9/a\r\nX-Injected: yes",
    "http://user:pass@127.0.0.1:9/",
    "http://xn--/",
    f"http://{'a' * 300}.invalid/",
    "http://\u2603.invalid/",
    "http:///nohost",
]


@pytest.mark.parametrize("url", ODD_URLS)
async def test_odd_addresses(customer: Customer, url: str) -> None:
    status, _ = await customer.create(ANSWERED, Url=url, StatusCallback=url)
    assert status in (201, 400)
    if status == 201:
        await customer.until_witnessed("callback", 4)
        (error,) = await customer.witnessed("call_error")
        assert error["error_code"] == 11200
    assert (await customer.get(f"{customer.sandbox}/healthz"))["status"] == "ok"


@pytest.mark.parametrize(
    "body", [b"", b"\xff\xfe", b"To=%00%ff&From=%2B14155550100", b"=&&=;", b"To=" + b"9" * 100_000]
)
async def test_odd_forms(customer: Customer, body: bytes) -> None:
    headers = {**customer.login, "Content-Type": "application/x-www-form-urlencoded"}
    async with customer.session.post(customer.calls, data=body, headers=headers) as answer:
        assert answer.status == 400
        assert (await answer.json())["code"] in (21201, 21211)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"to":"\\ud800"}', b'{"messaging_product":["whatsapp"]}', b"\xff"]
)
async def test_odd_messages(customer: Customer, body: bytes) -> None:
    number = {"phone_number_id": "5550001", "access_token": "odd", "app_secret": "s"}
    url = f"{customer.sandbox}/sandbox/meta/numbers"
    async with customer.session.post(url, json=number) as answer:
        assert answer.status == 201
    url = f"{customer.sandbox}/v23.0/5550001/messages"
    login = {"Authorization": "Bearer odd", "Content-Type": "application/json"}
    async with customer.session.post(url, data=body, headers=login) as answer:
        assert answer.status == 400
        assert (await answer.json())["error"]["code"] == 100


async def test_a_script_that_never_ends_is_cut(customer: Customer) -> None:
    customer.listener.script = "<Response>" + "<Say>x</Say>" * 20_000 + "</Response>"
    await customer.create(ANSWERED)
    (error,) = await customer.until_witnessed("call_error")
    assert error["error_code"] == 12100
    assert (await customer.create(BUSY))[0] == 201
