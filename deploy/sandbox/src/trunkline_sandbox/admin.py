"""Our own addresses under /sandbox: register accounts, read the witness, order faults."""

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query
from starlette.responses import Response

from trunkline_sandbox.courier import Courier
from trunkline_sandbox.faults.book import FaultBook
from trunkline_sandbox.faults.orders import FaultOrder
from trunkline_sandbox.tally import Tally
from trunkline_sandbox.vault import Registered, Vault
from trunkline_sandbox.voice.accounts import Account, Accounts
from trunkline_sandbox.whatsapp.numbers import BusinessNumber, BusinessNumbers
from trunkline_sandbox.whatsapp.webhooks import handshake
from trunkline_sandbox.witness import Witness


class AdminDesk:
    """What the lab asks of the sandbox; none of it exists at the originals."""

    def __init__(
        self,
        *,
        accounts: Accounts,
        numbers: BusinessNumbers,
        vault: Vault,
        witness: Witness,
        tally: Tally,
        book: FaultBook,
        courier: Courier,
    ) -> None:
        self._accounts = accounts
        self._numbers = numbers
        self._vault = vault
        self._witness = witness
        self._tally = tally
        self._book = book
        self._courier = courier

    def router(self) -> APIRouter:
        router = APIRouter()
        add = router.add_api_route
        add("/healthz", self.health, methods=["GET"])
        add("/sandbox/twilio/accounts", self.put_account, methods=["POST"], status_code=201)
        add("/sandbox/meta/numbers", self.put_number, methods=["POST"], status_code=201)
        add("/sandbox/log", self.read_log, methods=["GET"])
        add("/sandbox/summary", self.summary, methods=["GET"])
        add("/sandbox/faults", self.order_fault, methods=["POST"], status_code=201)
        add("/sandbox/faults", self.list_faults, methods=["GET"])
        add("/sandbox/faults", self.clear_faults, methods=["DELETE"])
        return router

    async def health(self) -> dict[str, Any]:
        """Alive, and how many lines the witness has."""
        return {"status": "ok", "lines": self._witness.last}

    async def put_account(self, account: Account) -> dict[str, str]:
        """Register a Twilio account, or replace it."""
        self._accounts.put(account)
        self._keep()
        self._witness.write(
            "account",
            account=account.account_sid,
            numbers=sorted(account.numbers),
            calls_per_second=account.calls_per_second,
            concurrent_calls=account.concurrent_calls,
        )
        return {"account_sid": account.account_sid}

    async def put_number(
        self, number: BusinessNumber, verify: Annotated[bool, Query()] = True
    ) -> dict[str, str]:
        """Register a WhatsApp number; unless verify=false, its webhook must answer a challenge."""
        if number.webhook_url and verify:
            problem = await handshake(self._courier, number)
            self._witness.write(
                "handshake",
                account=number.phone_number_id,
                callback=number.webhook_url,
                problem=problem,
            )
            if problem:
                raise HTTPException(400, f"webhook not verified: {problem}")
        self._numbers.put(number)
        self._keep()
        self._witness.write("number", account=number.phone_number_id, callback=number.webhook_url)
        return {"phone_number_id": number.phone_number_id}

    async def read_log(
        self,
        after: Annotated[int, Query(ge=0)] = 0,
        limit: Annotated[int, Query(ge=1, le=100_000)] = 10_000,
    ) -> Response:
        """The witness's lines above a number, and the number of the newest."""
        lines = b",".join(self._witness.read(after, limit))
        body = b'{"last":%d,"entries":[%s]}' % (self._witness.last, lines)
        return Response(body, media_type="application/json")

    async def summary(self, account: str | None = None) -> dict[str, Any]:
        """Accepted requests per address and what was accepted twice."""
        return self._tally.summary(account)

    async def order_fault(self, order: FaultOrder) -> dict[str, int]:
        """Order a fault."""
        return {"id": self._book.add(order)}

    async def list_faults(self) -> list[dict[str, Any]]:
        """The orders that stand, with what they met."""
        return [
            {
                "id": each.order_id,
                "seen": each.seen,
                "hits": each.hits,
                **each.order.model_dump(mode="json", exclude_unset=True),
            }
            for each in self._book.standing()
        ]

    async def clear_faults(self) -> dict[str, int]:
        """Drop all orders. Calls already accepted keep what was ordered for them."""
        return {"dropped": self._book.clear()}

    def _keep(self) -> None:
        self._vault.save(Registered(accounts=self._accounts.all(), numbers=self._numbers.all()))
