"""A call as Twilio sees it: every request of it is signed, for the exact address."""

from __future__ import annotations

from urllib.parse import urlencode

import httpx
from tests.integration.api.conftest import AUTH_TOKEN, PUBLIC_URL, SECRET
from twilio.request_validator import RequestValidator

from trunkline_common.callbacks import callback_token
from trunkline_common.ids import ATTEMPT, new_id

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Attempt:
    """A call that we made, as Twilio calls back about it."""

    def __init__(self, http: httpx.AsyncClient, channel_id: str, run_id: str) -> None:
        self.http = http
        self.id = new_id(ATTEMPT)
        token = callback_token(SECRET, channel_id, run_id, self.id)
        self.path = f"/callbacks/twilio/{channel_id}/{run_id}/{self.id}/{token}"

    async def say(
        self,
        what: str,
        form: dict[str, str],
        *,
        auth_token: str = AUTH_TOKEN,
        signed: dict[str, str] | None = None,
        path: str | None = None,
        contact: str | None = None,
        proof: str | None = None,
    ) -> httpx.Response:
        where = f"{path or self.path}/{what}?cid=c-call&tp={TRACE}"
        if contact is not None:
            known = callback_token(SECRET, self.id, contact) if proof is None else proof
            where += f"&contact={contact}&proof={known}"
        return await self.follow(PUBLIC_URL + where, form, auth_token=auth_token, signed=signed)

    async def follow(
        self,
        address: str,
        form: dict[str, str],
        *,
        auth_token: str = AUTH_TOKEN,
        signed: dict[str, str] | None = None,
    ) -> httpx.Response:
        """Ask at an address that a document named, as it stands there."""
        signature = RequestValidator(auth_token).compute_signature(
            address, form if signed is None else signed
        )
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Twilio-Signature": signature,
            "X-Forwarded-Host": "elsewhere.example.com",
        }
        path = address.removeprefix(PUBLIC_URL)
        return await self.http.post(path, content=urlencode(form), headers=headers)
