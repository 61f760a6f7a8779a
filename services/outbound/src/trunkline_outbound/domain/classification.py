"""What a provider's answer, or its absence, means for an attempt: protocol section 5."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

ResultKind = Literal["accepted", "rejected", "later", "misconfigured", "not_sent", "in_doubt"]

# Twilio's own limit codes: over a limit means later, whatever the HTTP status says.
# https://www.twilio.com/docs/api/errors
_LIMIT_CODES: Final = frozenset({20429, 10004, 21218, 14107})
# Our configuration, not the contact's fault: credentials, account state, caller id.
_CONFIGURATION_CODES: Final = frozenset({20003, 20005, 10001, 21210, 21212, 21606})
_DEFAULT_RETRY_AFTER: Final = 5.0
_MAX_RETRY_AFTER: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Result:
    """One attempt's result as its sender saw it. `retry_after` in seconds, with `later`."""

    kind: ResultKind
    provider_id: str | None = None
    code: str | None = None
    reason: str = ""
    retry_after: float = 0.0


def classify_answer(
    status: int, *, code: int | None, provider_id: str | None, retry_after: float | None, text: str
) -> Result:
    """Classify an answer that arrived. `code` is the provider's own, from the body."""
    shown = str(code) if code is not None else str(status)
    if 200 <= status < 300:
        if provider_id:
            return Result("accepted", provider_id=provider_id)
        return Result("in_doubt", code=shown, reason="success without a readable id")
    if status == 429 or code in _LIMIT_CODES:
        wait = _DEFAULT_RETRY_AFTER if retry_after is None else max(retry_after, 0.0)
        return Result(
            "later", code=shown, reason=text, retry_after=min(max(wait, 1.0), _MAX_RETRY_AFTER)
        )
    if status in (401, 403) or code in _CONFIGURATION_CODES:
        return Result("misconfigured", code=shown, reason=text)
    if 400 <= status < 500 and status != 408:
        return Result("rejected", code=shown, reason=text)
    return Result("in_doubt", code=shown, reason=text)


def classify_silence(*, released: bool, reason: str) -> Result:
    """Classify a request without an answer, by whether its last byte had been released."""
    return Result("in_doubt" if released else "not_sent", reason=reason)
