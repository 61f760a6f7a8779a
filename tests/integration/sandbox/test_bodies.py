"""A request whose last byte has not come is never acted upon."""

import asyncio
from urllib.parse import urlencode, urlsplit

from tests.integration.sandbox.customers import Customer
from tests.integration.sandbox.test_call_life import BUSY


def request_bytes(customer: Customer) -> bytes:
    address = urlsplit(customer.calls)
    body = urlencode(customer.form(BUSY)).encode()
    head = (
        f"POST {address.path} HTTP/1.1\r\nHost: {address.netloc}\r\n"
        f"Authorization: {customer.login['Authorization']}\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def connect(customer: Customer) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    address = urlsplit(customer.sandbox)
    return await asyncio.open_connection(address.hostname, address.port)


async def test_all_but_the_last_byte_and_a_close(customer: Customer) -> None:
    before = len(await customer.witnessed("incomplete"))
    _, writer = await connect(customer)
    writer.write(request_bytes(customer)[:-1])
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    lines = await customer.until_witnessed("incomplete", before + 1)
    assert lines[-1]["reason"] == "closed before the last byte"
    assert await customer.witnessed("call_accepted") == []


async def test_all_but_the_last_byte_and_silence(customer: Customer) -> None:
    reader, writer = await connect(customer)
    whole = request_bytes(customer)
    writer.write(whole[:-1])
    await writer.drain()
    async with asyncio.timeout(5):
        answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 408")
    assert await customer.witnessed("call_accepted") == []
    writer.close()


async def test_the_last_byte_makes_the_call(customer: Customer) -> None:
    reader, writer = await connect(customer)
    whole = request_bytes(customer)
    writer.write(whole[:-1])
    await writer.drain()
    assert await customer.witnessed("call_accepted") == []
    writer.write(whole[-1:])
    async with asyncio.timeout(5):
        assert (await reader.readline()).startswith(b"HTTP/1.1 201")
    assert len(await customer.witnessed("call_accepted")) == 1
    writer.close()
