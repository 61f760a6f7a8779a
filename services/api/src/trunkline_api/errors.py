"""The answers of api that are no success, each made in one place.

docs/problems.md has every type with what to do about it.

All are `trunkline_common.http.Problem` (RFC 9457), told apart by status and type:
├── 401 unauthenticated          no credential, or a wrong one
├── 403 missing-scope, refused   the key may not; a callback that proves nothing
├── 404 not-found                unknown, or another business's: the same answer
├── 408 too-slow                 a body that does not come; one too large is refused before us
├── 409 …                        it exists, and its state does not allow this
├── 412 precondition-failed      changed since it was read: `If-Match` names an older state
├── 422 …                        understood and refused, with the place
├── 429 too-many-streams         this key watches too much at once
└── 503 outbound-away, streams-full: later, see `Retry-After`
"""

from __future__ import annotations

from collections.abc import Sequence

from trunkline_api.domain.personal import Lacking
from trunkline_common.http import Problem


def unauthenticated() -> Problem:
    """Nobody we know: how to present a key goes into a header, why not stays with us."""
    return Problem(
        401,
        "unauthenticated",
        "Unauthenticated",
        "a valid bearer key is needed",
        headers={"WWW-Authenticate": 'Bearer realm="trunkline"'},
    )


def missing_scope(scope: str) -> Problem:
    """The key is good, but not for this."""
    return Problem(
        403,
        "missing-scope",
        "Missing scope",
        f"the key lacks the scope {scope}",
        headers={"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{scope}"'},
    )


def refused() -> Problem:
    """A callback that proves nothing. One answer for every reason."""
    return Problem(403, "refused", "Refused", "the request could not be verified")


def not_found(noun: str) -> Problem:
    """No such thing here; whether another business has it is not said."""
    return Problem(404, "not-found", "Not found", f"there is no such {noun}")


def conflict(slug: str, detail: str) -> Problem:
    """The state of things does not allow it."""
    return Problem(409, slug, "Conflict", detail)


def precondition_failed() -> Problem:
    """It is not any more what `If-Match` says."""
    detail = "it has changed since it was read: read it again, and send its `ETag` as `If-Match`"
    return Problem(412, "precondition-failed", "Precondition failed", detail)


def idempotency_in_progress() -> Problem:
    """The first of these requests is being carried out."""
    detail = "a request with this Idempotency-Key is being carried out; ask again"
    return Problem(409, "idempotency-in-progress", "Conflict", detail, headers={"Retry-After": "1"})


def idempotency_answer_lost() -> Problem:
    """It was carried out, and who did it died before the answer was kept."""
    detail = "the request was carried out, and its answer was lost; look for what it made"
    return Problem(409, "idempotency-answer-lost", "Conflict", detail)


def idempotency_reused() -> Problem:
    """One key, two requests."""
    detail = "another request has this Idempotency-Key; give each request a key of its own"
    errors = [{"pointer": "header/idempotency-key", "detail": detail}]
    title = "The Idempotency-Key is another request's"
    return Problem(422, "idempotency-key-reused", title, detail, errors)


def channel_disabled() -> Problem:
    """Nothing is sent through it until it is enabled again."""
    errors = [{"pointer": "#/channel_id", "detail": "the channel is disabled"}]
    return Problem(409, "channel-disabled", "Conflict", "the run's channel is disabled", errors)


def empty_audience() -> Problem:
    """A run for nobody."""
    errors = [{"pointer": "#/audience", "detail": "nobody is in it"}]
    detail = "the run's audience has nobody in it"
    return Problem(409, "empty-audience", "Conflict", detail, errors)


def audience_preparing() -> Problem:
    """A child whose contacts are still being gathered."""
    errors = [{"pointer": "#/audience", "detail": "it is still being gathered; ask again"}]
    detail = "the run's audience is still being gathered from its parent's"
    return Problem(409, "audience-preparing", "Conflict", detail, errors)


def pace_zero(pointers: Sequence[str]) -> Problem:
    """A run that would never send anything."""
    detail = "at this pace nothing is ever sent; leave it out for the account's own, or pause"
    errors = [{"pointer": pointer, "detail": detail} for pointer in pointers]
    return Problem(422, "pace-zero", "The pace is zero", detail, errors)


def unknown_zone(pointer: str, detail: str) -> Problem:
    """A zone that no clock knows."""
    errors = [{"pointer": pointer, "detail": detail}]
    return Problem(422, "unknown-zone", "The time zone is unknown", detail, errors)


def suppressed_contacts(many: int, examples: Sequence[str]) -> Problem:
    """Some of an audience are suppressed, and would be skipped."""
    detail = f"{many} of the audience are suppressed and would be skipped"
    errors = [{"pointer": "#/audience", "detail": contact} for contact in examples]
    return Problem(422, "suppressed-contacts", "Contacts are suppressed", detail, errors)


def run_over(state: str) -> Problem:
    """What is asked makes sense only as long as a run goes on."""
    return Problem(409, "run-over", "The run is over", f"the run is {state}")


def start_in_past() -> Problem:
    """A schedule that cannot be kept."""
    errors = [{"pointer": "#/start_at", "detail": "lies in the past; leave it out to start now"}]
    return Problem(422, "start-in-past", "The start lies in the past", None, errors)


def window_never_opens() -> Problem:
    """A calling window in which no contact could ever be called."""
    detail = "give at least one weekday, and `opens` before `closes` on the same day"
    errors = [{"pointer": "#/policy/window", "detail": detail}]
    return Problem(422, "window-never-opens", "The window never opens", detail, errors)


def undeclared_variables(places: Sequence[tuple[str, str]]) -> Problem:
    """Texts (place, name) with a gap that nobody declared: it would be spoken as it is written."""
    faults = [
        {"pointer": f"#/content/{place}", "detail": f"`{name}` is not in `variables`"}
        for place, name in places
    ]
    detail = "declare every name that a text uses, with a default where contacts may lack it"
    return Problem(422, "undeclared-variables", "Variables are not declared", detail, faults)


def missing_variables(total: int, some: Sequence[Lacking]) -> Problem:
    """Contacts of the audience that lack what the run's texts need; nobody was called."""
    faults = [
        {
            "pointer": f"#/audience/{one.contact_id}",
            "detail": f"has no {', '.join(one.missing)}",
            "contact_id": one.contact_id,
            "position": one.position or None,
            "missing": one.missing,
        }
        for one in some
    ]
    names = ", ".join(sorted({name for one in some for name in one.missing}))
    detail = f"{total} contacts lack {names}; give them values, or the variables a default"
    title = "Contacts lack variables"
    return Problem(422, "missing-variables", title, detail, faults, members={"total": total})


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
    """One value cannot be used; `pointer` is its place, in the body as a JSON pointer."""
    return invalid_at([pointer], detail)


def invalid_at(pointers: Sequence[str], detail: str) -> Problem:
    """Several values cannot be used, all for one reason."""
    errors = [{"pointer": pointer, "detail": detail} for pointer in pointers]
    return Problem(422, "invalid-request", "The request is not valid", detail, errors)


def invalid_places(places: Sequence[tuple[str, str]]) -> Problem:
    """Several values cannot be used: (pointer, detail) of each. Nothing was kept of the others."""
    faults = [{"pointer": pointer, "detail": detail} for pointer, detail in places]
    return Problem(422, "invalid-request", "The request is not valid", None, faults)


def unreadable(slug: str, detail: str) -> Problem:
    """A file that is refused whole: nothing of it was kept."""
    return Problem(422, slug, "The file was refused", detail)


def outbound_away(detail: str = "outbound does not answer: its work goes on, ask again") -> Problem:
    """What only outbound can say cannot be said now."""
    return Problem(503, "outbound-away", "Not available now", detail, headers={"Retry-After": "5"})


def too_many_streams(most: int) -> Problem:
    """One key's share of what is watched here."""
    detail = f"a key watches at most {most} runs at once in one process"
    return Problem(
        429, "too-many-streams", "Too many streams", detail, headers={"Retry-After": "5"}
    )


def streams_full() -> Problem:
    """This process watches as much as it can."""
    detail = "every stream is taken: ask again, or read the run itself"
    return Problem(503, "streams-full", "Not available now", detail, headers={"Retry-After": "5"})
