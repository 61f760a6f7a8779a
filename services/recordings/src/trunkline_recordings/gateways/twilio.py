"""Twilio's recording media, 2010-04-01: one GET, streamed; one redirect, never with secrets.

https://www.twilio.com/docs/voice/api/recording#fetch-a-recording-media-file
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import urljoin, urlsplit

import aiohttp

from trunkline_recordings.domain.outcomes import Outcome
from trunkline_recordings.gateways.audio import Audio, AudioOrder, NoAudio

ACCOUNT_SID: Final = re.compile(r"AC[0-9a-fA-F]{32}")
RECORDING_SID: Final = re.compile(r"RE[0-9a-fA-F]{32}")
_CHUNK: Final = 256 * 1024
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
# Compressed, the announced length would not be the length of what we store.
_HEADERS: Final = {"Accept": "audio/*", "Accept-Encoding": "identity"}


class TwilioGateway:
    """Fetches on behalf of any business's account; holds no credentials of its own."""

    def __init__(
        self, session: aiohttp.ClientSession, base_url: str, *, media_hosts: Collection[str] = ()
    ) -> None:
        self._session = session
        self._base_url = base_url.rstrip("/")
        self._media_hosts = frozenset(host.lower() for host in media_hosts)

    @asynccontextmanager
    async def fetch(self, order: AudioOrder) -> AsyncIterator[Audio]:
        """See `AudioGateway.fetch`."""
        url = self._url(order)
        login = aiohttp.encode_basic_auth(order.account, order.auth_token)
        try:
            async with self._get(url, {**_HEADERS, "Authorization": login}) as first:
                if first.status not in _REDIRECTS:
                    yield _audio(first)
                    return
                target = self._allowed(url, first.headers.get("Location", ""))
            # INVARIANT: another host never sees the credentials, nor may it redirect again.
            async with self._get(target, _HEADERS) as second:
                yield _audio(second)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _later(f"{type(error).__name__} at the provider") from error

    def _get(self, url: str, headers: Mapping[str, str]) -> aiohttp.client._RequestContextManager:
        return self._session.get(url, headers=headers, allow_redirects=False)

    def _url(self, order: AudioOrder) -> str:
        if not ACCOUNT_SID.fullmatch(order.account):
            raise NoAudio(Outcome("failed", reason="not a Twilio account SID"))
        if not RECORDING_SID.fullmatch(order.provider_recording_id):
            raise NoAudio(Outcome("failed", reason="not a Twilio recording SID"))
        # Asked for two channels of a recording that has one, Twilio refuses.
        query = "?RequestedChannels=2" if order.channels == 2 else ""
        return (
            f"{self._base_url}/2010-04-01/Accounts/{order.account}"
            f"/Recordings/{order.provider_recording_id}.wav{query}"
        )

    def _allowed(self, url: str, location: str) -> str:
        target = urljoin(url, location)
        parts = urlsplit(target)
        if (parts.hostname or "").lower() not in self._media_hosts:
            raise _later("redirected to a host that is not allowed")
        if parts.scheme != "https" and parts.scheme != urlsplit(self._base_url).scheme:
            raise _later("redirected away from https")
        return target


def _audio(answer: aiohttp.ClientResponse) -> Audio:
    if answer.status != 200:
        raise NoAudio(classify(answer.status, answer.headers.get("Retry-After", "")))
    content_type = answer.content_type.lower()
    if not content_type.startswith("audio/"):
        raise _later(f"{content_type} instead of audio")
    return Audio(content_type, answer.content_length, answer.content.iter_chunked(_CHUNK))


def classify(status: int, retry_after: str) -> Outcome:
    """What an answer without audio means."""
    if status in (401, 403):
        return Outcome("misconfigured", reason=f"HTTP {status}: the credentials are refused")
    if status == 410:
        return Outcome("failed", reason="deleted at the provider")
    wait = float(retry_after) if re.fullmatch(r"[0-9]{1,6}", retry_after) else None
    return Outcome("later", reason=f"HTTP {status}", retry_after=wait)


def _later(reason: str) -> NoAudio:
    return NoAudio(Outcome("later", reason=reason))
