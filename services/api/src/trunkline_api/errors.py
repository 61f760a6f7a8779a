"""The answers of api that are no success, each made in one place.

All are `trunkline_common.http.Problem` (RFC 9457), told apart by status and type:
├── 401 unauthenticated          no credential, or a wrong one
├── 403 missing-scope, refused   the key may not; a callback that proves nothing
├── 404 not-found                unknown, or another business's: the same answer
├── 408, 413                     a body that is too slow, or too large
├── 409 conflict                 it exists, and its state does not allow this
└── 422 import-…, invalid        understood and refused, with the place
"""

from __future__ import annotations

from trunkline_common.http import Problem


def unauthenticated() -> Problem:
    """Nobody we know: how to present a key goes into a header, why not stays with us."""
    problem = Problem(401, "unauthenticated", "Unauthenticated", "a valid bearer key is needed")
    problem.headers["WWW-Authenticate"] = 'Bearer realm="trunkline"'
    return problem


def missing_scope(scope: str) -> Problem:
    """The key is good, but not for this."""
    return Problem(403, "missing-scope", "Missing scope", f"the key lacks the scope {scope}")


def refused() -> Problem:
    """A callback that proves nothing. One answer for every reason."""
    return Problem(403, "refused", "Refused", "the request could not be verified")


def not_found(noun: str) -> Problem:
    """No such thing here; whether another business has it is not said."""
    return Problem(404, "not-found", "Not found", f"there is no such {noun}")


def conflict(slug: str, detail: str) -> Problem:
    """The state of things does not allow it."""
    return Problem(409, slug, "Conflict", detail)


def too_large(limit: int) -> Problem:
    """More bytes than we take."""
    return Problem(413, "too-large", "Too large", f"the body may hold {limit} bytes at most")


def too_slow() -> Problem:
    """The body did not come in time."""
    return Problem(408, "too-slow", "Too slow", "the body did not arrive in time")


def unsupported(detail: str) -> Problem:
    """Not a form of body that we read."""
    return Problem(415, "unsupported", "Unsupported media type", detail)


def malformed(detail: str) -> Problem:
    """Not what it says it is."""
    return Problem(400, "malformed", "Malformed", detail)


def invalid(pointer: str, detail: str) -> Problem:
    """One value cannot be used; `pointer` is its place in the body."""
    errors = [{"pointer": pointer, "detail": detail}]
    return Problem(422, "invalid", "Invalid", detail, errors)


def unreadable(slug: str, detail: str) -> Problem:
    """A file that is refused whole: nothing of it was kept."""
    return Problem(422, slug, "The file was refused", detail)
