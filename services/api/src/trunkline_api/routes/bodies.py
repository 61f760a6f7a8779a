"""Raw bodies, read whole before anything in them is believed; their size is bounded before us."""

from __future__ import annotations

import asyncio
from typing import Final

from fastapi import Request

from trunkline_api import errors

READ_SECONDS: Final = 30.0


async def read_body(request: Request) -> bytes:
    """The bytes as they came, or a problem where they do not come in time."""
    try:
        async with asyncio.timeout(READ_SECONDS):
            return await request.body()
    except TimeoutError:
        raise errors.too_slow() from None
