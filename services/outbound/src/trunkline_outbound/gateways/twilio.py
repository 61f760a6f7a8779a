"""Twilio's create-call, 2010-04-01: one form, one request, the last byte withheld.

https://www.twilio.com/docs/voice/api/call-resource#create-a-call-resource
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final
from urllib.parse import urlencode

import aiohttp
from yarl import URL

from trunkline_common.foreign import read_object
from trunkline_common.last_byte import Answer, post_gated
from trunkline_outbound.domain.classification import Result, classify_answer, classify_silence
from trunkline_outbound.gateways.forms import quoted
from trunkline_outbound.gateways.voice import CallOrder

STATUS_EVENTS = ("initiated", "ringing", "answered", "completed")
ACCOUNTS: Final = 1_000  # whose address and login are remembered
_FORM = "application/x-www-form-urlencoded"
_CALL_SID = re.compile(r"^CA[0-9a-f]{32}$")
_ACCOUNT_SID = re.compile(r"^AC[0-9a-f]{32}$")


# What every form says alike, encoded once.
_ALWAYS: Final = urlencode(
    [
        ("Method", "POST"),
        ("StatusCallbackMethod", "POST"),
        *(("StatusCallbackEvent", event) for event in STATUS_EVENTS),
    ]
)
_RECORDED: Final = urlencode(
    [
        ("Record", "true"),
        ("RecordingStatusCallbackMethod", "POST"),
        ("RecordingStatusCallbackEvent", "completed"),
    ]
)


class TwilioGateway:
    """Places calls on behalf of any business's account; holds no credentials of its own.

    The header of a login is remembered by account and token, so a new token makes a new one.
    """

    def __init__(self, session: aiohttp.ClientSession, base_url: str) -> None:
        self._session = session
        self._base_url = base_url.rstrip("/")
        self._url = lru_cache(ACCOUNTS)(self._url_of)
        self._headers = lru_cache(ACCOUNTS)(_headers_of)

    def _url_of(self, account: str) -> URL:
        return URL(f"{self._base_url}/2010-04-01/Accounts/{account}/Calls.json")

    async def place_call(self, order: CallOrder, may_send: Callable[[], bool]) -> Result:
        """See `VoiceGateway.place_call`."""
        if not _ACCOUNT_SID.match(order.account):
            return Result("misconfigured", code="account", reason="not a Twilio account SID")
        answer = await post_gated(
            self._session,
            self._url(order.account),
            call_form(order),
            may_send=may_send,
            headers=self._headers(order.account, order.auth_token),
        )
        return classify(answer)


def _headers_of(account: str, auth_token: str) -> Mapping[str, str]:
    return {
        "Authorization": aiohttp.encode_basic_auth(account, auth_token),
        "Content-Type": _FORM,
        "Accept": "application/json",
    }


def call_form(order: CallOrder) -> bytes:
    """The form of one create-call request."""
    form = (
        f"To={quoted(order.to_number)}&From={quoted(order.from_number)}"
        f"&Url={quoted(order.script_url)}&StatusCallback={quoted(order.status_url)}&{_ALWAYS}"
        f"&Timeout={order.ring_timeout}&TimeLimit={order.time_limit}"
    )
    if order.recording_url is not None:
        form += f"&RecordingStatusCallback={quoted(order.recording_url)}&{_RECORDED}"
    if order.machine_detection is not None:
        form += f"&MachineDetection={order.machine_detection}"
        form += f"&MachineDetectionTimeout={order.detection_timeout}"
    return form.encode()


def classify(answer: Answer) -> Result:
    """Read Twilio's answer, as far as there is one."""
    if answer.kind == "not_sent":
        return classify_silence(released=False, reason=answer.reason)
    if answer.kind == "in_doubt":
        return classify_silence(released=True, reason=answer.reason)
    body = read_object(answer.body) or {}
    code = body.get("code")
    sid = body.get("sid")
    return classify_answer(
        answer.status,
        code=code if isinstance(code, int) else None,
        provider_id=sid if isinstance(sid, str) and _CALL_SID.match(sid) else None,
        retry_after=_retry_after(answer.headers),
        text=str(body.get("message") or f"HTTP {answer.status}")[:300],
    )


def _retry_after(headers: Mapping[str, str]) -> float | None:
    value = headers.get("Retry-After", headers.get("retry-after", ""))
    return float(value) if re.fullmatch(r"\d{1,6}(\.\d+)?", value) else None
