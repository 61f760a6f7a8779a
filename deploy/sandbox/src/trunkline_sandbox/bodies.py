"""Request bodies: read whole or not at all, within a deadline."""

import asyncio
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect, Request

Form = dict[str, list[str]]


class UnfinishedBodyError(Exception):
    """The client went away, or stalled, before the last byte of its body."""

    def __init__(self, reason: str, *, stalled: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.stalled = stalled


async def read_body(request: Request, seconds: float) -> bytes:
    """The complete body. A request whose last byte has not come is never acted upon."""
    try:
        async with asyncio.timeout(seconds):
            return await request.body()
    except ClientDisconnect as error:
        raise UnfinishedBodyError("closed before the last byte", stalled=False) from error
    except TimeoutError as error:
        raise UnfinishedBodyError(f"no complete body within {seconds:g} s", stalled=True) from error


def parse_form(request: Request, body: bytes) -> Form:
    """The fields of a urlencoded form; any other content has no fields, as with the originals."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        return {}
    form: Form = {}
    for name, value in parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True):
        form.setdefault(name, []).append(value)
    return form
