"""Twilio asks what a call says: proved like every callback of it, answered with TwiML."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from trunkline_api import errors, media, responses, speeches
from trunkline_api.domain.media import expiry
from trunkline_api.domain.provider_facts import call_leg, connection_end, twiml_fetch
from trunkline_api.domain.responses import Response as Answer
from trunkline_api.domain.responses import heard_of, pressed_in
from trunkline_api.domain.speech import Speaker, is_machine
from trunkline_api.routes.callers import ServiceParts
from trunkline_api.routes.guards import TextRoute
from trunkline_api.routes.twilio import FromTwilio, hear, read_form, signed_url
from trunkline_api.speeches import Called, CallLinks, proved_contact
from trunkline_common.http import correlation_id

router = APIRouter(
    prefix="/twilio/{channel_id}/{run_id}/{attempt_id}/{token}", route_class=TextRoute
)


async def called(request: Request, callback: FromTwilio, parts: ServiceParts) -> Called:
    """Whom this call is for, by what outbound wrote into the address."""
    query = dict(request.query_params)
    base = signed_url(parts.public_url, request).partition("?")[0].rpartition("/")[0]
    secret, attempt_id = parts.callback_secret, callback.place.attempt_id
    ours = (parts.public_url, secret, callback.account.business_id)
    expires = expiry(datetime.now(UTC))
    return Called(
        account=callback.account,
        run_id=callback.run_id,
        attempt_id=attempt_id,
        contact_id=proved_contact(secret, attempt_id, query),
        caller_id=callback.form.get("From", ""),
        links=CallLinks(base, query, partial(media.address, *ours, expires=expires)),
    )


OurCall = Annotated[Called, Depends(called)]


async def speaking(parts: ServiceParts, call: OurCall) -> Speaker:
    """Who speaks in this call; a run that is not the channel's proves nothing."""
    speaker = await speeches.speaker(parts, call)
    if speaker is None:
        raise errors.refused()
    return speaker


Speaking = Annotated[Speaker, Depends(speaking)]
Place = Annotated[int, Query(ge=0, le=99)]


def twiml(document: str) -> Response:
    """A document as Twilio reads it."""
    return Response(document, media_type="text/xml")


@router.post("/twiml")
async def fetch_twiml(callback: FromTwilio, speaker: Speaking, parts: ServiceParts) -> Response:
    """What the call says, to a person or to a machine. That Twilio asks proves that it has it."""
    await hear(parts, callback, twiml_fetch)
    machine = is_machine(callback.form.get("AnsweredBy", ""))
    return twiml(speaker.to_a_machine() if machine else speaker.opening())


@router.post("/digits")
async def take_digits(
    callback: FromTwilio,
    call: OurCall,
    speaker: Speaking,
    parts: ServiceParts,
    *,
    step: Place,
    turn: Place,
) -> Response:
    """What was pressed, or that nothing was: acted upon first, answered then."""
    pressed = read_form(callback, pressed_in)
    reaction = speaker.answer(step, turn, pressed.digits)
    if reaction is None:
        raise errors.refused()
    answer = Answer(pressed, step, turn, reaction.meaning)
    heard = heard_of(answer, callback.place, callback.raw)
    await responses.take(parts.database, call, answer, heard, correlation_id=correlation_id())
    return twiml(reaction.document)


@router.post("/dialled")
async def end_connection(
    callback: FromTwilio, speaker: Speaking, parts: ServiceParts, *, step: Place, keys: str = ""
) -> Response:
    """An agent's leg is over, or nobody took it."""
    status = callback.form.get("DialCallStatus", "")
    document = speaker.after_connection(step, keys, status)
    if document is None:
        raise errors.refused()
    await hear(parts, callback, connection_end)
    return twiml(document)


@router.post("/leg", status_code=204)
async def report_leg(callback: FromTwilio, parts: ServiceParts) -> None:
    """An agent's leg goes on, or ended. Our call does not end with it."""
    await hear(parts, callback, call_leg)
