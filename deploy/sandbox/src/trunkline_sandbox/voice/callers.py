"""People who call an account's numbers: placed by the lab, answered by the number's webhook."""

from fastapi import APIRouter, HTTPException, Request

from trunkline_sandbox.voice.accounts import Accounts
from trunkline_sandbox.voice.exchange import Exchange
from trunkline_sandbox.voice.orders import InboundOrder, inbound_order


class CallerDesk:
    """Our own address under /sandbox; it does not exist at the original."""

    def __init__(self, accounts: Accounts, exchange: Exchange) -> None:
        self._accounts = accounts
        self._exchange = exchange

    def router(self) -> APIRouter:
        router = APIRouter()
        router.add_api_route(
            "/sandbox/twilio/inbound", self.call_in, methods=["POST"], status_code=201
        )
        return router

    async def call_in(self, asked: InboundOrder, request: Request) -> dict[str, str]:
        """Let somebody call a number: its voice webhook is asked, its status callback told."""
        if self._accounts.get(asked.account_sid) is None:
            raise HTTPException(404, "no such account")
        public = str(request.base_url).rstrip("/")
        call = self._exchange.receive(inbound_order(asked), asked.account_sid, public)
        return {"sid": call.sid}
