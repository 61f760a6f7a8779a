"""The Graph API's error bodies: message, type, code, error_data and a trace id."""

import json
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from starlette.requests import Request

from trunkline_sandbox.faults.orders import FaultOrder, Subject
from trunkline_sandbox.refusals import RefusalError

BAD_TOKEN = 190
BAD_PARAMETER = 100
BAD_VALUE = 131009
MISSING_PARAMETER = 131008
UNDELIVERABLE = 131026
RATE_LIMIT = 130429
PAIR_LIMIT = 131056
UNKNOWN = 131000
SERVICE = 131016

MEANINGS: Mapping[int, tuple[int, str, str]] = {
    BAD_TOKEN: (401, "Invalid OAuth access token - Cannot parse access token", ""),
    BAD_PARAMETER: (400, "(#100) Invalid parameter", "Invalid parameter"),
    MISSING_PARAMETER: (
        400,
        "(#131008) Required parameter is missing",
        "The request is missing a required parameter.",
    ),
    BAD_VALUE: (
        400,
        "(#131009) Parameter value is not valid",
        "One or more parameter values are invalid.",
    ),
    UNDELIVERABLE: (400, "(#131026) Message undeliverable", "Message Undeliverable."),
    RATE_LIMIT: (
        429,
        "(#130429) Rate limit hit",
        "Cloud API message throughput has been reached.",
    ),
    PAIR_LIMIT: (
        429,
        "(#131056) (Business Account, Consumer Account) pair rate limit hit",
        "Too many messages sent from the sender to the same recipient in a short time.",
    ),
    UNKNOWN: (500, "(#131000) Something went wrong", "Message failed to send: unknown error."),
    SERVICE: (503, "(#131016) Service unavailable", "A service is temporarily unavailable."),
}


def refusal(
    code: int,
    details: str | None = None,
    *,
    status: int | None = None,
    headers: Mapping[str, str] | None = None,
) -> RefusalError:
    """The refusal with the Graph API's status and wording for a code."""
    usual, message, explained = MEANINGS.get(code, (400, f"(#{code}) Invalid request", ""))
    error: dict[str, Any] = {"message": message, "type": "OAuthException", "code": code}
    text = details or explained
    if text:
        error["error_data"] = {"messaging_product": "whatsapp", "details": text}
    error["fbtrace_id"] = "A" + uuid4().hex[:22]
    return RefusalError(status or usual, code, {"error": error}, headers)


def unknown_object(object_id: str) -> RefusalError:
    """What a token gets that may not see the object of the path."""
    error = {
        "message": (
            f"Unsupported post request. Object with ID '{object_id}' does not exist, cannot be "
            "loaded due to missing permissions, or does not support this operation."
        ),
        "type": "GraphMethodException",
        "code": BAD_PARAMETER,
        "error_subcode": 33,
        "fbtrace_id": "A" + uuid4().hex[:22],
    }
    return RefusalError(400, BAD_PARAMETER, {"error": error})


class GraphDialect:
    """Reads and words requests as Meta does."""

    def subject(self, request: Request, body: bytes) -> Subject:
        path = request.url.path
        return Subject(
            provider="meta",
            method=request.method,
            path=path,
            account=str(request.path_params.get("phone_number_id", "")),
            to=_recipient(body),
            creates=request.method == "POST" and path.endswith("/messages"),
        )

    def rejection(self, order: FaultOrder) -> RefusalError:
        return refusal(order.code or BAD_PARAMETER)

    def too_many(self, retry_after: int) -> RefusalError:
        return refusal(RATE_LIMIT, headers={"Retry-After": str(retry_after)})

    def broken(self) -> RefusalError:
        return refusal(UNKNOWN)

    def stalled(self) -> RefusalError:
        return refusal(
            UNKNOWN, "The request timed out", status=408, headers={"Connection": "close"}
        )


def _recipient(body: bytes) -> str:
    try:
        message = json.loads(body)
    except ValueError:
        return ""
    to = str(message.get("to", "")) if isinstance(message, dict) else ""
    # JSON may spell half a character, which no file could hold.
    return to.encode("utf-8", "replace").decode()
