"""What Meta's answer, or its absence, means for an attempt: protocol section 5, as a table.

https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes/
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

ResultKind = Literal["accepted", "rejected", "later", "misconfigured", "not_sent", "in_doubt"]

PAIR_LIMIT: Final = 131056  # of one sender to one recipient: other recipients may go on
_LIMIT_CODES: Final = frozenset({4, 80007, 130429, 131048, PAIR_LIMIT})
# Our configuration, not the message's fault: the token, its permissions, the number, the account.
_CONFIGURATION_CODES: Final = frozenset({0, 3, 10, 190, 368, 131005, 131031, 131042, 133010})
_PERMISSION_CODES: Final = range(200, 300)
_UNKNOWN_OBJECT: Final = (100, 33)  # the phone number id is not visible to this token
_MAX_RETRY_AFTER: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Result:
    """One attempt's result as its sender saw it.

    `retry_after` in seconds as the provider gave it. `whole_sender`: the limit is the sender's,
    so nothing else of it may leave either.
    """

    kind: ResultKind
    provider_id: str | None = None
    code: str | None = None
    reason: str = ""
    retry_after: float | None = None
    whole_sender: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that arrived, as far as it could be read."""

    status: int
    provider_id: str | None = None
    code: int | None = None
    subcode: int | None = None
    text: str = ""
    retry_after: float | None = None


def classify_reply(reply: Reply) -> Result:
    """Classify an answer that arrived."""
    shown = str(reply.status if reply.code is None else reply.code)
    if 200 <= reply.status < 300:
        if reply.provider_id:
            return Result("accepted", provider_id=reply.provider_id)
        return Result("in_doubt", code=shown, reason="success without a readable id")
    if not 400 <= reply.status < 500 or reply.status == 408:
        return Result("in_doubt", code=shown, reason=reply.text)
    if reply.status == 429 or reply.code in _LIMIT_CODES:
        wait = reply.retry_after
        return Result(
            "later",
            code=shown,
            reason=reply.text,
            retry_after=None if wait is None else min(max(wait, 1.0), _MAX_RETRY_AFTER),
            whole_sender=reply.code != PAIR_LIMIT,
        )
    if _is_configuration(reply):
        return Result("misconfigured", code=shown, reason=reply.text)
    return Result("rejected", code=shown, reason=reply.text)


def classify_silence(*, released: bool, reason: str) -> Result:
    """Classify a request without an answer, by whether its last byte had been released."""
    return Result("in_doubt" if released else "not_sent", reason=reason)


def _is_configuration(reply: Reply) -> bool:
    return (
        reply.status in (401, 403)
        or reply.code in _CONFIGURATION_CODES
        or (reply.code is not None and reply.code in _PERMISSION_CODES)
        or (reply.code, reply.subcode) == _UNKNOWN_OBJECT
    )
