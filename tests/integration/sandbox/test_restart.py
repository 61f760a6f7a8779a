"""A provider's restart forgets nothing: not the witness's count, not an account, not a call."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import aiohttp
from tests.integration.sandbox.customers import register
from tests.integration.sandbox.listener import Listener
from tests.integration.sandbox.test_call_life import ANSWERED, NO_ANSWER

from trunkline_sandbox.process import running_sandbox


async def test_calls_go_on_after_a_restart(
    tmp_path: Path, listener: Listener, session: aiohttp.ClientSession
) -> None:
    log = tmp_path / "witness.jsonl"
    with running_sandbox(log, speed=1) as url:
        customer = await register(session, url, listener)
        _, call = await customer.create(ANSWERED, Record="true")
        await listener.until(lambda: "initiated" in customer.statuses())
        _, other = await customer.create(NO_ANSWER)
    with log.open("ab") as torn:
        torn.write(b'{"n":99,"kind":"call_acc')
    lines = log.read_bytes().count(b"\n")
    with running_sandbox(log, speed=200) as url:
        customer = type(customer)(session, url, listener, customer.sid)
        health = await customer.get(f"{url}/healthz")
        assert health["lines"] >= lines
        await listener.until(lambda: len(customer.statuses()) >= 7)
        summary = await customer.get(f"{url}/sandbox/summary?account={customer.sid}")
        ended = await customer.get(customer.calls)
    assert summary["accepted_per_to"] == {ANSWERED: 1, NO_ANSWER: 1}
    assert {each["sid"]: each["status"] for each in ended["calls"]} == {
        call["sid"]: "completed",
        other["sid"]: "no-answer",
    }


async def test_two_sandboxes_never_share_a_log(tmp_path: Path) -> None:
    log = tmp_path / "witness.jsonl"
    with running_sandbox(log):
        arguments = ["-m", "trunkline_sandbox", "serve", "--port", "0", "--log", str(log)]
        second = await _run(arguments)
    assert second == (2, "SANDBOX_LOG: another sandbox writes this file\n")


async def _run(arguments: list[str]) -> tuple[int, str]:
    child = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(20):
            _, complaint = await child.communicate()
    except TimeoutError:
        os.kill(child.pid, signal.SIGKILL)
        raise
    return child.returncode or 0, complaint.decode()
