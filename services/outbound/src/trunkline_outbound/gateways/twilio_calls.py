"""What Twilio knows of calls: listed, fetched and ended, 2010-04-01. Nothing here places a call.

https://www.twilio.com/docs/voice/api/call-resource
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final

import aiohttp

from trunkline_common.foreign import is_id, read_object
from trunkline_common.outcomes import TrunklineError
from trunkline_outbound.gateways.voice import AccountAccess, Listing, ProviderCall

PAGE: Final = 50  # of calls between two numbers: far more than one attempt can have made
AUDIT_PAGE: Final = 1000  # the most that Twilio gives


class ProviderSilent(TrunklineError):
    """The provider could not be asked, or did not answer in a way that says anything."""


class PageRefused(ProviderSilent):
    """The provider does not know where this page of a list begins: begin the list again."""


class TwilioCalls:
    """Reads and ends calls of any business's account. Every request may be repeated."""

    def __init__(
        self, session: aiohttp.ClientSession, base_url: str, *, page: int = AUDIT_PAGE
    ) -> None:
        self._session = session
        self._page = page
        self._base_url = base_url.rstrip("/")

    async def between(self, access: AccountAccess, *, sender: str, to: str) -> Listing:
        """The newest calls between two numbers. Not by StartTime: a queued call has none."""
        query = {"From": sender, "To": to, "PageSize": str(PAGE)}
        body, date = await self._get(access, f"{self._calls(access)}.json", query)
        return without_legs(_listing(body, date))

    async def of_day(
        self, access: AccountAccess, day: date, *, after: str | None = None
    ) -> Listing:
        """One page of an account's calls that started on this day (UTC), or next to its bounds.

        `after` is the `next_page` of the page before. Raises `PageRefused` where it is none.
        """
        query: dict[str, str] = {}
        url = f"{self._calls(access)}.json"
        if after is None:
            bounds = {"StartTime>": str(day), "StartTime<": str(day + timedelta(days=1))}
            query = {**bounds, "PageSize": str(self._page)}
        elif not after.startswith(f"/2010-04-01/Accounts/{access.account}/"):
            raise PageRefused("the next page is not the account's own")
        else:
            url = self._base_url + after
        body, date_told = await self._get(access, url, query)
        return _listing(body, date_told)

    async def fetch(self, access: AccountAccess, provider_id: str) -> ProviderCall | None:
        """One call, or None where the account has no such call."""
        url = f"{self._calls(access)}/{provider_id}.json"
        try:
            body, _ = await self._get(access, url, {})
        except _NotThere:
            return None
        return _call(body)

    async def end(self, access: AccountAccess, provider_id: str, *, ringing_only: bool) -> bool:
        """End a call, or with `ringing_only` only one that nobody has answered; whether it did.

        Setting a state may be repeated: the second time finds the call over.
        """
        url = f"{self._calls(access)}/{provider_id}.json"
        form = {"Status": "canceled" if ringing_only else "completed"}
        try:
            async with self._session.post(
                url, data=form, headers=_headers(access), allow_redirects=False
            ) as answer:
                await answer.read()
                if answer.status >= 500 or answer.status in (401, 403, 408, 429):
                    raise ProviderSilent(f"HTTP {answer.status}")
                return answer.status < 300
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ProviderSilent(type(error).__name__) from error

    def _calls(self, access: AccountAccess) -> str:
        return f"{self._base_url}/2010-04-01/Accounts/{access.account}/Calls"

    async def _get(
        self, access: AccountAccess, url: str, query: Mapping[str, str]
    ) -> tuple[Mapping[str, Any], datetime | None]:
        try:
            async with self._session.get(
                url, params=query, headers=_headers(access), allow_redirects=False
            ) as answer:
                raw = await answer.read()
                if answer.status == 404:
                    raise _NotThere
                if answer.status == 400:
                    raise PageRefused("HTTP 400")
                if answer.status != 200:
                    raise ProviderSilent(f"HTTP {answer.status}")
                return _object(raw), _time(answer.headers.get("Date"))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ProviderSilent(type(error).__name__) from error


class _NotThere(ProviderSilent):
    """404: the provider answered, and there is no such thing."""


def _headers(access: AccountAccess) -> dict[str, str]:
    token = aiohttp.encode_basic_auth(access.account, access.auth_token)
    return {"Authorization": token, "Accept": "application/json"}


def _object(raw: bytes) -> Mapping[str, Any]:
    value = read_object(raw)
    if value is None:
        raise ProviderSilent("the answer is not a JSON object")
    return value


def _listing(body: Mapping[str, Any], date: datetime | None) -> Listing:
    calls = body.get("calls")
    if not isinstance(calls, list):
        raise ProviderSilent("the answer has no calls")
    return Listing(tuple(_call(call) for call in calls), date, body.get("next_page_uri") or None)


def without_legs(listing: Listing) -> Listing:
    """Without legs that another call opened: an agent's leg answers no request of ours."""
    ours = tuple(call for call in listing.calls if call.parent_id is None)
    return Listing(ours, listing.told_at, listing.next_page)


def _call(body: Mapping[str, Any]) -> ProviderCall:
    if not is_id(body.get("sid")):
        raise ProviderSilent("the answer has no readable id")
    try:
        return ProviderCall(
            provider_id=str(body["sid"]),
            status=str(body["status"]),
            created_at=_time(body.get("date_created")),
            duration=int(body["duration"]) if body.get("duration") else None,
            answered_by=body.get("answered_by") or None,
            price=str(body["price"]) if body.get("price") else None,
            price_unit=body.get("price_unit") or None,
            direction=str(body.get("direction") or "outbound-api"),
            parent_id=body.get("parent_call_sid") or None,
            from_number=str(body.get("from") or ""),
            to_number=str(body.get("to") or ""),
            started_at=_time(body.get("start_time")),
        )
    except (KeyError, ValueError, TypeError) as error:
        raise ProviderSilent("the answer is not a call") from error


def _time(text: object) -> datetime | None:
    """RFC 2822, as Twilio writes times; None where there is none, or not that."""
    if not isinstance(text, str):
        return None
    try:
        read = parsedate_to_datetime(text)
    except ValueError:
        return None
    return read if read.tzinfo else read.replace(tzinfo=UTC)
