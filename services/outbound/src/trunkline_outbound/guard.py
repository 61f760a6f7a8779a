"""Who may ask outbound: whoever shows the token that api was given as well."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from typing import Annotated, Final

from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from trunkline_common.http import Problem

_BEARER: Final = HTTPBearer(auto_error=False)

Credential = Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]


def guarded_by(token: str | None) -> Callable[[Credential], Awaitable[None]]:
    """A dependency that lets nobody in without this token; without one it answers nobody."""

    async def guard(credential: Credential) -> None:
        if token is None:
            detail = "outbound was given no OUTBOUND_INTERNAL_TOKEN"
            raise Problem(503, "not-configured", "Not configured", detail)
        shown = credential.credentials if credential else ""
        if not hmac.compare_digest(shown.encode(), token.encode()):
            raise Problem(401, "unauthenticated", "Unauthenticated")

    return guard
