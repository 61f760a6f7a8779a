"""The header `Idempotency-Key`: a request that is repeated has one effect and one answer."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Callable, Coroutine
from typing import Any, Final

from fastapi import Request, Response
from starlette.datastructures import UploadFile

from trunkline_api import errors, idempotency
from trunkline_api.idempotency import Answer, Claim
from trunkline_api.parts import Parts
from trunkline_api.routes.bodies import READ_SECONDS, read_body
from trunkline_api.store.idempotency import Name
from trunkline_common.db.commits import witnessed
from trunkline_common.http import Problem
from trunkline_common.http.problems import problem_response

HEADER: Final = "idempotency-key"
REPLAYED: Final = "idempotent-replayed"
OPERATOR: Final = "operator"  # whose keys these are, where no business asks
_FORM: Final = re.compile(r"^[\x21-\x7e]{1,255}$")
_KEPT_HEADERS: Final = ("content-type", "location", "etag", "retry-after")

PARAMETER: Final[dict[str, Any]] = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "carries the request out once: repeated with this key within 24 hours, it is"
    " given the same answer, with `Idempotent-Replayed: true`",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
}

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


async def once(request: Request, parts: Parts, handler: Handler) -> Response:
    """The answer of the handler, or the one that it gave to this request before."""
    values = request.headers.getlist(HEADER)
    if not values:
        return await handler(request)
    if len(values) > 1 or not _FORM.match(values[0]):
        raise errors.invalid("header/idempotency-key", "one key of 1 to 255 visible characters")
    try:
        return await _once(request, parts, handler, values[0])
    finally:
        await request.close()  # of a form that was read here and by nobody else


async def _once(request: Request, parts: Parts, handler: Handler, key: str) -> Response:
    caller = getattr(request.state, "caller", None)
    name = Name(caller.business_id if caller else OPERATOR, key)
    digest = await _digest(request)
    held = await idempotency.claim(parts.database, parts.sealer, name, digest)
    if isinstance(held, Answer):
        headers = {**held.headers, REPLAYED: "true"}
        return Response(held.body, held.status, headers)
    return await _carried_out(request, parts, handler, held)


async def _carried_out(request: Request, parts: Parts, handler: Handler, held: Claim) -> Response:
    try:
        with witnessed(held.witness):
            response = await handler(request)
    except Problem as problem:
        if held.committed:
            await _keep(parts, held, problem_response(problem))
        else:
            await idempotency.give_up(parts.database, held)
        raise
    except BaseException:
        await idempotency.give_up(parts.database, held)
        raise
    await _keep(parts, held, response)
    return response


async def _keep(parts: Parts, held: Claim, response: Response) -> None:
    headers = {name: value for name, value in response.headers.items() if name in _KEPT_HEADERS}
    answer = Answer(response.status_code, bytes(response.body).decode(), headers)
    await idempotency.keep(parts.database, parts.sealer, held, answer)


async def _digest(request: Request) -> str:
    """Of what was asked: method, address, body, and what whoever asks may do, since a new key of an
    API is no more than that. A form's boundary is new each time it is sent: of it the parts count.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    digest = hashlib.sha256()
    caller = getattr(request.state, "caller", None)
    scopes = ",".join(sorted(caller.scopes)) if caller else ""
    for part in (request.method, request.url.path, request.url.query, kind, scopes):
        digest.update(part.encode() + b"\0")
    if kind == "multipart/form-data":
        await _digest_form(request, digest)
    else:
        digest.update(await read_body(request))
    return digest.hexdigest()


async def _digest_form(request: Request, digest: Any) -> None:
    try:
        async with asyncio.timeout(READ_SECONDS):
            form = await request.form(max_files=1, max_fields=5)
    except TimeoutError:
        raise errors.too_slow() from None
    for name, value in form.multi_items():
        digest.update(name.encode() + b"\0")
        if isinstance(value, UploadFile):
            digest.update((value.filename or "").encode() + b"\0" + await value.read())
            await value.seek(0)
        else:
            digest.update(value.encode() + b"\0")
