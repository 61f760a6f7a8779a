"""A customer of the sandbox: an account of its own, and requests in its name."""

import asyncio
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import aiohttp
from tests.integration.sandbox.listener import Listener

FROM = "+14155550100"
TOKEN = "an auth token"
ALL_EVENTS = ("initiated", "ringing", "answered", "completed")


@dataclass(frozen=True)
class Customer:
    """One Twilio account, and the listener that its callbacks go to."""

    session: aiohttp.ClientSession
    sandbox: str
    listener: Listener
    sid: str

    @property
    def calls(self) -> str:
        return f"{self.sandbox}/2010-04-01/Accounts/{self.sid}/Calls.json"

    @property
    def login(self) -> dict[str, str]:
        return {"Authorization": aiohttp.encode_basic_auth(self.sid, TOKEN)}

    def form(self, to: str, **changes: str) -> list[tuple[str, str]]:
        fields = {
            "To": to,
            "From": FROM,
            "Url": f"{self.listener.url}/script?attempt=1&b=%20x",
            "StatusCallback": f"{self.listener.url}/status?attempt=a%2Fb",
        } | changes
        return [*fields.items(), *(("StatusCallbackEvent", event) for event in ALL_EVENTS)]

    async def create(self, to: str, **changes: str) -> tuple[int, dict[str, Any]]:
        async with self.session.post(
            self.calls, data=self.form(to, **changes), headers=self.login
        ) as answer:
            return answer.status, await answer.json()

    async def get(self, url: str) -> Any:
        async with self.session.get(url, headers=self.login) as answer:
            return await answer.json()

    async def order(self, kind: str, **order: Any) -> None:
        """Order a fault for this account only."""
        url = f"{self.sandbox}/sandbox/faults"
        fault = {"kind": kind, "account": self.sid, **order}
        async with self.session.post(url, json=fault) as answer:
            assert answer.status == 201, await answer.text()

    async def witnessed(self, kind: str) -> list[dict[str, Any]]:
        """The witness's lines of one kind about this account."""
        log = await self.get(f"{self.sandbox}/sandbox/log?limit=100000")
        return [
            entry
            for entry in log["entries"]
            if entry["kind"] == kind and entry.get("account", self.sid) == self.sid
        ]

    async def until_witnessed(self, kind: str, count: int = 1) -> list[dict[str, Any]]:
        """Ask the witness until it has that many lines."""
        async with asyncio.timeout(10):
            while True:
                found = await self.witnessed(kind)
                if len(found) >= count:
                    return found

    def statuses(self) -> list[str]:
        return [each.form["CallStatus"] for each in self.listener.at("/status")]


async def register(
    session: aiohttp.ClientSession, sandbox: str, listener: Listener, **limits: float
) -> Customer:
    """A new account."""
    sid = f"AC{uuid4().hex}"
    account = {"account_sid": sid, "auth_token": TOKEN, "numbers": [FROM], **limits}
    async with session.post(f"{sandbox}/sandbox/twilio/accounts", json=account) as answer:
        assert answer.status == 201, await answer.text()
    return Customer(session, sandbox, listener, sid)
