"""Outbound's own log, asked for page by page: bounded in time, never repeated, never cached."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, TypeVar
from urllib.parse import quote

import aiohttp
from opentelemetry.propagate import inject
from pydantic import BaseModel, ConfigDict, ValidationError

from trunkline_api import errors
from trunkline_common.http import HEADER, correlation_id
from trunkline_common.last_byte import open_http

log = logging.getLogger(__name__)

CONNECT_SECONDS: Final = 2.0
WHOLE_SECONDS: Final = 5.0


Answer = TypeVar("Answer", bound=BaseModel)


class Line(BaseModel):
    """One line of the log; `position` is where the next page goes on."""

    model_config = ConfigDict(frozen=True)

    position: str
    seq: int
    at: datetime
    kind: str
    state: str
    rule: str | None
    detail: str | None
    not_before: datetime | None
    attempt_id: str | None
    provider_id: str | None
    said_by: str | None


class _Lines(BaseModel):
    data: list[Line]


@dataclass(frozen=True, slots=True)
class OutboundLog:
    """Where outbound answers, and the token that it knows us by. Without both, nothing is asked."""

    url: str | None = None
    token: str | None = field(default=None, repr=False)
    seconds: float = WHOLE_SECONDS

    async def of_job(
        self, business_id: str, run_id: str, seq: int, *, after: str | None, limit: int
    ) -> Sequence[Line] | None:
        """What happened to one contact of a run, in order; None where outbound knows no such job.

        Raises a problem where outbound does not answer, or refuses the place.
        """
        query = {"limit": str(limit)} | ({"after": after} if after else {})
        return await self._ask(business_id, run_id, f"jobs/{seq}/history", query)

    async def of_run(
        self, business_id: str, run_id: str, *, before: int | None, limit: int
    ) -> Sequence[Line]:
        """A run's decisions, newest first. Raises a problem where outbound does not answer."""
        query = {"limit": str(limit)} | ({"before": str(before)} if before else {})
        return await self._ask(business_id, run_id, "decisions", query) or ()

    async def post(self, place: str, body: object) -> bytes:
        """What outbound answers to a question that has a body. Raises a problem without one."""
        url = f"{self._base()}/internal/v1/{place}"
        try:
            async with (
                self._open() as http,
                http.post(url, json=body, headers=self._headers(), allow_redirects=False) as answer,
            ):
                status, said = answer.status, await answer.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            log.warning("outbound.away", extra={"error": type(error).__name__})
            raise errors.outbound_away() from None
        if status != 200:
            log.error("outbound.refused", extra={"status": status})
            raise errors.outbound_away()
        return said

    async def read(self, place: str) -> bytes | None:
        """What outbound answers to a question; None where it has no such thing."""
        url = f"{self._base()}/internal/v1/{place}"
        try:
            status, said = await self._get(url, {})
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            log.warning("outbound.away", extra={"error": type(error).__name__})
            raise errors.outbound_away() from None
        if status not in (200, 404):
            log.error("outbound.refused", extra={"status": status})
            raise errors.outbound_away()
        return said if status == 200 else None

    def _base(self) -> str:
        if self.url is None or self.token is None:
            raise errors.outbound_away("api was not told where outbound is")
        return self.url.rstrip("/")

    def _headers(self) -> dict[str, str]:
        headers = {HEADER: correlation_id(), "Authorization": f"Bearer {self.token}"}
        inject(headers)
        return headers

    def _open(self) -> AbstractAsyncContextManager[aiohttp.ClientSession]:
        return open_http(1, total=self.seconds, connect=CONNECT_SECONDS, read=self.seconds)

    async def _ask(
        self, business_id: str, run_id: str, what: str, query: dict[str, str]
    ) -> Sequence[Line] | None:
        place = f"/internal/v1/businesses/{quote(business_id)}/runs/{quote(run_id)}/{what}"
        page = await self.page(place, query, _Lines)
        return None if page is None else page.data

    async def page(self, place: str, query: dict[str, str], form: type[Answer]) -> Answer | None:
        """What outbound answers at this place; None where it knows no such thing.

        Raises a problem where it does not answer, or refuses the place of a page.
        """
        base = self._base()
        try:
            status, body = await self._get(base + place, query)
            if status == 200:
                return form.model_validate_json(body)
        except (aiohttp.ClientError, TimeoutError, OSError, ValidationError) as error:
            log.warning("outbound.away", extra={"error": type(error).__name__})
            raise errors.outbound_away() from None
        if status == 404:
            return None
        if status == 422:
            raise errors.invalid("query/cursor", "not a cursor of this list")
        log.error("outbound.refused", extra={"status": status})
        raise errors.outbound_away()

    async def _get(self, url: str, query: dict[str, str]) -> tuple[int, bytes]:
        async with (
            self._open() as http,
            http.get(url, params=query, headers=self._headers(), allow_redirects=False) as answer,
        ):
            return answer.status, await answer.read()
