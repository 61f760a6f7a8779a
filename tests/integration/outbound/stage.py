"""A scene with a provider that keeps a log of what it had: the sandbox's Twilio."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import aiohttp
from tests.integration.outbound.scene import SEALER, Scene

from trunkline_common.last_byte import open_http
from trunkline_common.loops import Stop
from trunkline_common.testing import facts
from trunkline_outbound.accounts import Accounts
from trunkline_outbound.dispatch import Dispatcher, DispatchSettings
from trunkline_outbound.doubts import Patience, resolve_doubts
from trunkline_outbound.gateways.twilio import TwilioGateway
from trunkline_outbound.gateways.twilio_calls import TwilioCalls
from trunkline_outbound.sending import CallSender

NOWHERE = "http://127.0.0.1:9"  # callbacks are refused there: all of them are lost


@dataclass
class Stage:
    """A scene with an account at the sandbox, and what asks it."""

    scene: Scene
    url: str
    http: aiohttp.ClientSession

    @property
    def registry(self) -> TwilioCalls:
        return TwilioCalls(self.http, self.url)

    @property
    def accounts(self) -> Accounts:
        return Accounts(self.scene.database, SEALER)

    async def post(self, path: str, body: dict[str, Any]) -> None:
        async with self.http.post(f"{self.url}{path}", json=body) as answer:
            assert answer.status == 201, await answer.text()

    async def fault(self, kind: str, **order: Any) -> None:
        await self.post("/sandbox/faults", {"kind": kind, "account": self.scene.account, **order})

    async def clear_faults(self) -> None:
        """Drop every fault on order."""
        async with self.http.delete(f"{self.url}/sandbox/faults") as answer:
            assert answer.status == 200, await answer.text()

    async def witnessed(self, kind: str) -> list[dict[str, Any]]:
        async with self.http.get(f"{self.url}/sandbox/log?limit=100000") as answer:
            entries = (await answer.json())["entries"]
        return [e for e in entries if e["kind"] == kind and e["account"] == self.scene.account]

    async def dispatch(self, run_id: str, **wanted: int) -> None:
        """Dispatch until the run's jobs are in these states."""
        stop = Stop()
        async with open_http(50, total=1.0, read=1.0) as http:
            sender = CallSender(
                TwilioGateway(http, self.url),
                sealer=SEALER,
                callback_base=NOWHERE,
                callback_secret="secret",
            )
            settings = DispatchSettings(owner=uuid4().hex, idle=0.05)
            async with asyncio.TaskGroup() as group:
                group.create_task(Dispatcher(self.scene.database, sender, settings).run(stop))

                async def so() -> bool:
                    return await self.scene.states(run_id) == wanted

                try:
                    await facts.eventually(so, 20)
                finally:
                    stop.set()

    async def ask(self, *, grace: float = 120.0) -> None:
        """Two looks at every doubt: the first begins the count of seconds, the second asks."""
        for _ in range(2):
            await self.scene.rows("UPDATE attempts SET poll_at = NULL RETURNING 1")
            await resolve_doubts(
                self.scene.database, self.registry, self.accounts, Patience(grace=grace)
            )

    async def let_the_grace_pass(self) -> None:
        await self.scene.rows(
            "UPDATE attempts SET intent_at = intent_at - interval '200 s',"
            " send_deadline = send_deadline - interval '200 s' RETURNING 1"
        )
