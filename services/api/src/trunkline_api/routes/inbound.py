"""Twilio's voice webhook of a channel's numbers: our token, Twilio's signature, then the number."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, TypeVar
from urllib.parse import parse_qsl

from fastapi import APIRouter, Depends, Query, Request, Response

from trunkline_api import caller_responses, errors, inbound, media
from trunkline_api.accounts import Account
from trunkline_api.callbacks import Repeated
from trunkline_api.domain.inbound import (
    InboundLinks,
    inbound_status,
    rejection,
    speaker,
    stray_reason,
)
from trunkline_api.domain.media import expiry
from trunkline_api.domain.provider_facts import Form, printable, said
from trunkline_api.domain.responses import Response as Answer
from trunkline_api.domain.responses import pressed_in
from trunkline_api.domain.speech import Speaker
from trunkline_api.parts import Parts
from trunkline_api.routes.bodies import read_body
from trunkline_api.routes.callers import ServiceParts
from trunkline_api.routes.guards import TextRoute
from trunkline_api.routes.twilio import FORM_TYPE, signer
from trunkline_api.store.quarantine import Stray
from trunkline_common.callbacks import verify
from trunkline_common.http import correlation_id

router = APIRouter(prefix="/twilio/{channel_id}/inbound/{token}", route_class=TextRoute)

Place = Annotated[int, Query(ge=0, le=99)]
_Read = TypeVar("_Read")


@dataclass(frozen=True, slots=True)
class InboundCall:
    """A request of Twilio's about a call to one of its account's numbers.

    `stray` says why the call leads to nobody here; then nothing of it is a business's.
    """

    account: Account
    form: Form
    raw: str
    base: str
    stray: str | None


async def calling(
    request: Request, channel_id: str, token: str, parts: ServiceParts
) -> InboundCall:
    """Believe nothing before our token and Twilio's signature hold; all refusals are alike."""
    if not verify(parts.callback_secret, token, channel_id, inbound.ABOUT):
        raise errors.refused()
    raw = (await read_body(request)).decode("utf-8", "replace")
    is_form = request.headers.get("content-type", "").partition(";")[0].strip() == FORM_TYPE
    if not is_form:
        raise errors.refused()  # what is not in the form is not signed
    form = Repeated(parse_qsl(raw, keep_blank_values=True))
    account = await signer(request, channel_id, form, parts)
    account, stray = await _whose(account, form, parts)
    base = inbound.inbound_url(parts.public_url, parts.callback_secret, channel_id)
    return InboundCall(account, form, raw.replace("\x00", ""), base, stray)


async def _whose(account: Account, form: Form, parts: Parts) -> tuple[Account, str | None]:
    """Why the call is not the channel's, if so; a remembered list of numbers may be an old one."""
    stray = stray_reason(form, account.account, account.senders)
    if stray is not None:
        fresh = await parts.accounts.of(account.channel_id, newer_than=account)
        if fresh is not None:
            return fresh, stray_reason(form, fresh.account, fresh.senders)
    return account, stray


FromCaller = Annotated[InboundCall, Depends(calling)]


async def _put_aside(call: InboundCall, parts: Parts) -> None:
    try:
        stray = Stray(
            channel_id=call.account.channel_id,
            provider_call_id=printable(call.form["CallSid"]),
            account=call.account.account,
            reason=call.stray or "",
            from_number=said(call.form, "From"),
            to_number=said(call.form, "To"),
            body=call.raw,
            correlation_id=correlation_id(),
        )
    except (KeyError, ValueError) as error:
        raise errors.malformed(str(error)) from error
    await inbound.put_aside(parts.database, stray)


def _read(call: InboundCall, reading: Callable[[Form], _Read]) -> _Read:
    try:
        return reading(call.form)
    except KeyError as error:
        raise errors.malformed(f"the callback has no {error.args[0]}") from error
    except ValueError as error:
        raise errors.malformed(str(error)) from error


async def _hear(call: InboundCall, parts: Parts) -> None:
    account = call.account
    heard = _read(
        call, lambda form: inbound_status(form, account.channel_id, account.account, call.raw)
    )
    await parts.ear.hear(account, [heard], provider="twilio", correlation_id=correlation_id())


def _speaker(call: InboundCall, parts: Parts) -> Speaker:
    file = partial(
        media.address,
        parts.public_url,
        parts.callback_secret,
        call.account.business_id,
        expires=expiry(datetime.now(UTC)),
    )
    links = InboundLinks(call.base, file)
    return speaker(call.account.inbound, links, call.form.get("To", ""))


def twiml(document: str) -> Response:
    """A document as Twilio reads it."""
    return Response(document, media_type="application/xml")


@router.post("")
async def answer_call(call: FromCaller, parts: ServiceParts) -> Response:
    """A call to a number: what the business says to it, or nothing where the number is nobody's."""
    if call.stray:
        await _put_aside(call, parts)
        return twiml(rejection())
    await _hear(call, parts)
    return twiml(_speaker(call, parts).opening())


@router.post("/leg", status_code=204)
@router.post("/status", status_code=204)
async def report_status(call: FromCaller, parts: ServiceParts) -> None:
    """A call, or a leg to an agent that it opened, went on or ended."""
    if call.stray:
        await _put_aside(call, parts)
    else:
        await _hear(call, parts)


@router.post("/digits")
async def take_digits(
    call: FromCaller, parts: ServiceParts, *, step: Place, turn: Place
) -> Response:
    """What was pressed, or that nothing was: kept and acted upon first, answered then."""
    if call.stray:
        return twiml(rejection())
    pressed = _read(call, pressed_in)
    reaction = _speaker(call, parts).answer(step, turn, pressed.digits)
    if reaction is None:
        raise errors.refused()
    answer = Answer(pressed, step, turn, reaction.meaning)
    await caller_responses.take(
        parts.database, call.account, answer, call.form, correlation_id=correlation_id()
    )
    return twiml(reaction.document)


@router.post("/dialled")
async def end_connection(
    call: FromCaller, parts: ServiceParts, *, step: Place, keys: str = ""
) -> Response:
    """An agent's leg is over, or nobody took it."""
    status = call.form.get("DialCallStatus", "")
    document = None if call.stray else _speaker(call, parts).after_connection(step, keys, status)
    if document is None:
        raise errors.refused()
    return twiml(document)
