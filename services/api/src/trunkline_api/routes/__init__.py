"""The HTTP edge of api: every route there is. What they work with is the application's parts."""

from __future__ import annotations

from fastapi import APIRouter

from trunkline_api.routes import (
    additions,
    answering,
    audits,
    businesses,
    calls,
    channels,
    checks,
    consents,
    contacts,
    controls,
    decisions,
    docs,
    events,
    forecasts,
    imports,
    inbound,
    keys,
    media,
    messages,
    meta,
    reruns,
    runs,
    speech,
    suppressions,
    turns,
    twilio,
)
from trunkline_api.routes.answers import PROBLEMS


def routers() -> list[APIRouter]:
    """All routes: the providers' callbacks, the public API under /v1, and the documentation.

    They are looked through one after the other, twice at every level; callbacks come by the
    hundred a second, and must not pass every route of the public API first.
    """

    public = APIRouter(prefix="/v1", responses=PROBLEMS)
    nouns = (businesses, keys, channels, answering, audits, contacts, consents)
    of_contacts = (suppressions, imports, media)
    of_runs = (runs, turns, additions, checks, controls, forecasts, reruns, events, decisions)
    for noun in (*nouns, *of_contacts, *of_runs, calls, messages):
        public.include_router(noun.router)
    callbacks = APIRouter(prefix="/callbacks", include_in_schema=False)
    callbacks.include_router(twilio.router)
    callbacks.include_router(speech.router)
    callbacks.include_router(inbound.router)
    callbacks.include_router(meta.router)
    return [callbacks, public, media.files, docs.router]
