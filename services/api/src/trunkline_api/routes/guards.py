"""What every route does before its handler: refuse what no table can keep, and know who asks.

A route of FastAPI reads its body before it looks at its dependencies. Ours do not: a stranger is
answered without a byte of the body being read.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from typing import Any, Final

from fastapi import Request, Response
from fastapi.routing import APIRoute

from trunkline_api import errors
from trunkline_api.domain.unkeepable import is_keepable, shown, unkeepable_in
from trunkline_api.routes import callers, repeats
from trunkline_api.routes.bodies import read_body

_DETAIL: Final = "holds a NUL character or half of a surrogate pair"
_MOST_SHOWN: Final = 20

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class TextRoute(APIRoute):
    """A route whose path and query hold nothing that cannot be kept."""

    def get_route_handler(self) -> Handler:
        handler = super().get_route_handler()

        async def look(request: Request) -> Response:
            if not all(is_keepable(str(value)) for value in request.path_params.values()):
                raise errors.not_found("thing")
            for name, value in request.query_params.multi_items():
                if not (is_keepable(name) and is_keepable(value)):
                    raise errors.invalid(f"query/{shown(name)}", _DETAIL)
            return await handler(request)

        return look


class PublicRoute(TextRoute):
    """A route of the public API: its caller is known before its body is read.

    Each POST takes an idempotency key, and says so in the document.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        if "POST" in (options.get("methods") or ()):
            extra = dict(options.get("openapi_extra") or {})
            others = [one for one in extra.get("parameters", ()) if one is not repeats.PARAMETER]
            options["openapi_extra"] = {**extra, "parameters": [*others, repeats.PARAMETER]}
        super().__init__(path, endpoint, **options)

    def get_route_handler(self) -> Handler:
        handler = super().get_route_handler()
        takes_json = self.body_field is not None

        async def guarded(request: Request) -> Response:
            await callers.authenticate(request, self.dependant)
            if takes_json:
                await _look_into_body(request)
            if request.method == "POST":
                return await repeats.once(request, await callers.parts_of(request), handler)
            return await handler(request)

        return guarded


async def _look_into_body(request: Request) -> None:
    """What is not JSON is told by the handler, which reads the same bytes again from memory."""
    try:
        value = json.loads(await read_body(request))
    except (ValueError, RecursionError):
        return
    places = [place for place, _ in zip(unkeepable_in(value), range(_MOST_SHOWN), strict=False)]
    if places:
        raise errors.invalid_at(places, _DETAIL)
