"""Who is asking, and whether they may: what every route of /v1 says about its credential."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.dependencies.models import Dependant
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer, SecurityScopes

from trunkline_api import errors, keys
from trunkline_api.domain.scopes import same
from trunkline_api.keys import Caller
from trunkline_api.parts import Parts

_KEY = HTTPBearer(
    scheme_name="key", bearerFormat="tk_live_…", description="an API key", auto_error=False
)
_OPERATOR = HTTPBearer(scheme_name="operator", description="the operator's token", auto_error=False)

Credential = HTTPAuthorizationCredentials | None


async def parts_of(request: Request) -> Parts:
    """The parts that the application was built with. Async, or each request crossed a thread."""
    parts: Parts = request.app.state.parts
    return parts


ServiceParts = Annotated[Parts, Depends(parts_of)]


async def authenticate(request: Request, dependant: Dependant) -> None:
    """Know who asks before the body is read: what the route depends on says which credential."""
    needed = set(_calls_of(dependant))
    parts = await parts_of(request)
    if operator in needed:
        await operator(parts, await _OPERATOR(request))
    if caller in needed:
        credential = await _KEY(request)
        known = await keys.identify(parts.database, credential.credentials) if credential else None
        if known is None:
            raise errors.unauthenticated()
        _may(known, _scopes_of(dependant))
        request.state.caller = known


def _calls_of(dependant: Dependant) -> Iterator[object]:
    for inner in dependant.dependencies:
        yield inner.call
        yield from _calls_of(inner)


def _scopes_of(dependant: Dependant) -> Iterator[str]:
    for inner in dependant.dependencies:
        if inner.call is caller:
            yield from inner.own_oauth_scopes or ()
        yield from _scopes_of(inner)


def _may(known: Caller, scopes: Iterable[str]) -> None:
    """Before anything else: what was answered to another key is not shown to one that may less."""
    for scope in scopes:
        if scope not in known.scopes:
            raise errors.missing_scope(scope)


async def caller(
    request: Request, scopes: SecurityScopes, _: Annotated[Credential, Depends(_KEY)]
) -> Caller:
    """The business behind the key, if the key may do what the route asks for."""
    known: Caller = request.state.caller
    _may(known, scopes.scopes)
    return known


async def operator(
    parts: ServiceParts, credential: Annotated[Credential, Depends(_OPERATOR)]
) -> None:
    """Only whoever runs this installation."""
    if credential is None or not same(credential.credentials, parts.operator_token):
        raise errors.unauthenticated()


AnyKey = Annotated[Caller, Security(caller)]
ContactsReader = Annotated[Caller, Security(caller, scopes=["contacts:read"])]
ContactsWriter = Annotated[Caller, Security(caller, scopes=["contacts:write"])]
RunsReader = Annotated[Caller, Security(caller, scopes=["runs:read"])]
RunsWriter = Annotated[Caller, Security(caller, scopes=["runs:write"])]
CallsReader = Annotated[Caller, Security(caller, scopes=["calls:read"])]
MessagesReader = Annotated[Caller, Security(caller, scopes=["messages:read"])]
SettingsWriter = Annotated[Caller, Security(caller, scopes=["settings:write"])]
MessagesWriter = Annotated[Caller, Security(caller, scopes=["messages:write"])]
ChannelsWriter = Annotated[Caller, Security(caller, scopes=["channels:write"])]
KeysWriter = Annotated[Caller, Security(caller, scopes=["keys:write"])]
