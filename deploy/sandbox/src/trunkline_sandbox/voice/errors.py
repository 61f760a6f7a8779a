"""Twilio's error bodies: code, message, more_info and status."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_plus

from starlette.requests import Request

from trunkline_sandbox.faults.orders import FaultOrder, Subject
from trunkline_sandbox.refusals import RefusalError

AUTHENTICATE = 20003
NOT_FOUND = 20404
TOO_MANY = 20429
INTERNAL = 20500
TIMED_OUT = 20408
BAD_PARAMETER = 20001
TO_MISSING = 21201
URL_INVALID = 21205
TIMEOUT_INVALID = 21208
METHOD_INVALID = 21209
FROM_UNVERIFIED = 21210
TO_INVALID = 21211
FROM_INVALID = 21212
FROM_MISSING = 21213
TO_UNREACHABLE = 21214
NO_PERMISSION = 21215
BLOCKED = 21216
INVALID_STATE = 21220
STATUS_CALLBACK_INVALID = 21609
STATUS_EVENT_INVALID = 21626

MEANINGS: Mapping[int, tuple[int, str]] = {
    BAD_PARAMETER: (400, "Invalid parameter"),
    AUTHENTICATE: (401, "Authenticate"),
    NOT_FOUND: (404, "The requested resource was not found"),
    TIMED_OUT: (408, "Request timed out"),
    TOO_MANY: (429, "Too Many Requests"),
    INTERNAL: (500, "An internal server error has occurred"),
    TO_MISSING: (400, "No 'To' number is specified"),
    URL_INVALID: (400, "Url parameter is required."),
    TIMEOUT_INVALID: (400, "Invalid Timeout value"),
    METHOD_INVALID: (400, "Invalid method"),
    FROM_UNVERIFIED: (
        400,
        "The source phone number provided is not yet verified for your account.",
    ),
    TO_INVALID: (400, "The phone number you are attempting to call is not valid."),
    FROM_INVALID: (400, "The source phone number provided is not a valid phone number."),
    FROM_MISSING: (400, "No 'From' number is specified"),
    TO_UNREACHABLE: (400, "The phone number you are attempting to call cannot be reached."),
    NO_PERMISSION: (400, "Account not authorized to call this number."),
    BLOCKED: (400, "The phone number you are attempting to call has been blocked."),
    INVALID_STATE: (400, "Unable to update record. Call is not in-progress. Cannot redirect."),
    STATUS_CALLBACK_INVALID: (400, "'StatusCallback' is not a valid URL"),
    STATUS_EVENT_INVALID: (400, "Invalid StatusCallbackEvents"),
}

ADDRESSEE = re.compile(rb"(?:^|&)To=([^&]*)")

# Twilio's own magic numbers of its test credentials: calling them is refused at once.
MAGIC_REFUSALS: Mapping[str, int] = {
    "+15005550001": TO_INVALID,
    "+15005550002": TO_UNREACHABLE,
    "+15005550003": NO_PERMISSION,
    "+15005550004": BLOCKED,
}


def refusal(
    code: int, message: str | None = None, headers: Mapping[str, str] | None = None
) -> RefusalError:
    """The refusal with Twilio's status and wording for a code."""
    status, usual = MEANINGS.get(code, (400, "Bad request"))
    body: dict[str, Any] = {
        "code": code,
        "message": message or usual,
        "more_info": f"https://www.twilio.com/docs/errors/{code}",
        "status": status,
    }
    return RefusalError(status, code, body, headers)


def not_found(path: str) -> RefusalError:
    return refusal(NOT_FOUND, f"The requested resource {path} was not found")


def _addressee(form: bytes) -> str:
    found = ADDRESSEE.search(form)
    return unquote_plus(found[1].decode("ascii", "replace")) if found else ""


class TwilioDialect:
    """Reads and words requests as Twilio does."""

    def subject(self, request: Request, body: bytes) -> Subject:
        path = request.url.path
        is_list = path.endswith("/Calls.json")
        return Subject(
            provider="twilio",
            method=request.method,
            path=path,
            account=str(request.path_params.get("account_sid", "")),
            to=_addressee(body) or request.query_params.get("To", ""),
            creates=is_list and request.method == "POST",
            lists=is_list and request.method == "GET",
        )

    def rejection(self, order: FaultOrder) -> RefusalError:
        return refusal(order.code or BAD_PARAMETER)

    def too_many(self, retry_after: int) -> RefusalError:
        return refusal(TOO_MANY, headers={"Retry-After": str(retry_after)})

    def broken(self) -> RefusalError:
        return refusal(INTERNAL)

    def stalled(self) -> RefusalError:
        return refusal(TIMED_OUT, headers={"Connection": "close"})
