"""The HTTP edge of api: every route there is, with the parts that it needs."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request

from trunkline_api.parts import Parts
from trunkline_api.routes import (
    businesses,
    calls,
    channels,
    contacts,
    controls,
    decisions,
    docs,
    events,
    imports,
    keys,
    messages,
    meta,
    runs,
    twilio,
)
from trunkline_api.routes.answers import PROBLEMS


def routers(parts: Parts) -> list[APIRouter]:
    """All routes: the public API under /v1, the providers' callbacks, and the documentation."""

    async def provide(request: Request) -> None:
        request.state.parts = parts

    public = APIRouter(prefix="/v1", dependencies=[Depends(provide)], responses=PROBLEMS)
    for noun in (businesses, keys, channels, contacts, imports, runs, controls, events, decisions):
        public.include_router(noun.router)
    for noun in (calls, messages):
        public.include_router(noun.router)
    callbacks = APIRouter(
        prefix="/callbacks", dependencies=[Depends(provide)], include_in_schema=False
    )
    callbacks.include_router(twilio.router)
    callbacks.include_router(meta.router)
    return [public, callbacks, docs.router]
