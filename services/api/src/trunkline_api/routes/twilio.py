"""Twilio's callbacks: our token in the URL, then Twilio's signature, then the row, then 2xx."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, TypeVar
from urllib.parse import parse_qsl

from fastapi import APIRouter, Depends, Request

from trunkline_api import callbacks, errors
from trunkline_api.accounts import Account
from trunkline_api.callbacks import Repeated
from trunkline_api.domain.provider_facts import (
    Form,
    Heard,
    Place,
    call_status,
    recording_status,
)
from trunkline_api.parts import Parts
from trunkline_api.routes.bodies import read_body
from trunkline_api.routes.callers import ServiceParts
from trunkline_api.routes.guards import TextRoute
from trunkline_common.callbacks import verify
from trunkline_common.http import correlation_id

router = APIRouter(
    prefix="/twilio/{channel_id}/{run_id}/{attempt_id}/{token}", route_class=TextRoute
)

Read = TypeVar("Read")

FORM_TYPE = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Verified:
    """A callback that Twilio made, about an attempt that we made."""

    account: Account
    run_id: str
    place: Place
    form: Form
    raw: str


async def verified(
    request: Request, channel_id: str, run_id: str, attempt_id: str, token: str, parts: ServiceParts
) -> Verified:
    """Believe nothing before our token and Twilio's signature hold; all refusals are alike."""
    if not verify(parts.callback_secret, token, channel_id, run_id, attempt_id):
        raise errors.refused()
    raw = (await read_body(request)).decode("utf-8", "replace")
    is_form = request.headers.get("content-type", "").partition(";")[0].strip() == FORM_TYPE
    form = Repeated(parse_qsl(raw, keep_blank_values=True) if is_form else ())
    if raw and not is_form:
        raise errors.refused()  # what is not in the form is not signed
    account = await signer(request, channel_id, form, parts)
    place = Place(channel_id, account.account, attempt_id)
    return Verified(account, run_id, place, form, raw.replace("\x00", ""))


async def signer(request: Request, channel_id: str, form: Repeated, parts: Parts) -> Account:
    """The channel's account, if its token signed this; a remembered token may have been changed."""
    url = signed_url(parts.public_url, request)
    signature = request.headers.get("x-twilio-signature", "")
    account = await parts.accounts.of(channel_id)
    for _ in range(2):
        if account is None or account.kind != "voice":
            break
        if callbacks.is_from_twilio(account, url, form, signature):
            return account
        fresh = await parts.accounts.of(channel_id, newer_than=account)
        if fresh is None or fresh.version == account.version:
            break
        account = fresh
    raise errors.refused()


def signed_url(public_url: str, request: Request) -> str:
    """The URL as the provider called it; its origin is configured, never taken from a header."""
    path: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    query: bytes = request.scope["query_string"]
    return public_url + path.decode("latin-1") + ("?" + query.decode("latin-1") if query else "")


def read_form(callback: Verified, read: Callable[[Form], Read]) -> Read:
    """What a callback says, or a problem where it is not what it should be."""
    try:
        return read(callback.form)
    except KeyError as error:
        raise errors.malformed(f"the callback has no {error.args[0]}") from error
    except ValueError as error:
        raise errors.malformed(str(error)) from error


async def hear(parts: Parts, callback: Verified, read: Callable[[Form, Place, str], Heard]) -> None:
    """Keep what a callback says and pass it on."""
    heard = read_form(callback, lambda form: read(form, callback.place, callback.raw))
    await parts.ear.hear(
        callback.account, [heard], provider="twilio", correlation_id=correlation_id()
    )


FromTwilio = Annotated[Verified, Depends(verified)]


@router.post("/status", status_code=204)
async def report_status(callback: FromTwilio, parts: ServiceParts) -> None:
    """A call went on, or ended."""
    await hear(parts, callback, call_status)


@router.post("/recording", status_code=204)
async def report_recording(callback: FromTwilio, parts: ServiceParts) -> None:
    """A recording is ready."""
    await hear(parts, callback, recording_status)
