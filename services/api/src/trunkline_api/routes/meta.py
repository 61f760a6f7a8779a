"""Meta's callbacks: the signature over the bytes as they came, then the rows, then 200."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from trunkline_api import callbacks, errors
from trunkline_api.accounts import Account
from trunkline_api.domain.provider_facts import meta_elements
from trunkline_api.domain.scopes import same
from trunkline_api.parts import Parts
from trunkline_api.routes.bodies import read_body
from trunkline_api.routes.callers import ServiceParts
from trunkline_api.routes.guards import TextRoute
from trunkline_common.http import correlation_id

router = APIRouter(prefix="/meta/{channel_id}", route_class=TextRoute)


@router.get("")
async def confirm(
    channel_id: str,
    parts: ServiceParts,
    mode: Annotated[str, Query(alias="hub.mode")] = "",
    token: Annotated[str, Query(alias="hub.verify_token")] = "",
    challenge: Annotated[str, Query(alias="hub.challenge", max_length=200)] = "",
) -> Response:
    """Meta asks once whether this URL is ours; the channel's verify token is the answer's price."""
    account = await parts.accounts.of(channel_id)
    expected = account.credentials.get("verify_token", "") if account else ""
    genuine = same(token, expected)
    if mode != "subscribe" or not expected or not genuine:
        raise errors.refused()
    return Response(challenge, media_type="text/plain")


@router.post("", status_code=200)
async def report(request: Request, channel_id: str, parts: ServiceParts) -> Response:
    """A batch of delivery states and incoming messages."""
    body = await read_body(request)
    account = await _signer(request, channel_id, body, parts)
    await parts.ear.hear(
        account,
        meta_elements(body, account.channel_id, account.account),
        provider="meta",
        correlation_id=correlation_id(),
    )
    return Response()


async def _signer(request: Request, channel_id: str, body: bytes, parts: Parts) -> Account:
    signature = request.headers.get("x-hub-signature-256", "")
    account = await parts.accounts.of(channel_id)
    for _ in range(2):
        if account is None or account.kind != "whatsapp":
            break
        if callbacks.is_from_meta(account, body, signature):
            return account
        fresh = await parts.accounts.of(channel_id, newer_than=account)
        if fresh is None or fresh.version == account.version:
            break
        account = fresh
    raise errors.refused()
