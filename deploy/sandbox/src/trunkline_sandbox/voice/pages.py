"""Lists as Twilio pages them: newest first, with tokens that stay true while calls come in."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Protocol, TypeVar
from urllib.parse import urlencode

from trunkline_sandbox.voice import errors
from trunkline_sandbox.voice.calls import Call

USUAL_PAGE = 50
LARGEST_PAGE = 1000


class Listed(Protocol):
    """Anything with a sid can be paged."""

    @property
    def sid(self) -> str: ...


Row = TypeVar("Row", bound=Listed)


@dataclass(frozen=True, slots=True)
class Query:
    """The query of a list request; `path` is the list's own."""

    path: str
    fields: Mapping[str, str]

    def text(self, name: str) -> str | None:
        return self.fields.get(name) or None

    def number(self, name: str, usual: int, least: int, most: int) -> int:
        text = self.text(name)
        if text is None:
            return usual
        if not text.isascii() or not text.isdigit() or int(text) < least:
            raise errors.refusal(errors.BAD_PARAMETER, f"Invalid {name}")
        return min(int(text), most)

    def day(self, name: str) -> date | None:
        text = self.text(name)
        if text is None:
            return None
        try:
            return datetime.fromisoformat(text).date()
        except ValueError as error:
            raise errors.refusal(errors.BAD_PARAMETER, f"Invalid {name}") from error


def page_of(
    query: Query, name: str, newest_first: Sequence[Row], render: Callable[[Row], dict[str, Any]]
) -> dict[str, Any]:
    """One page of a list. `PA<sid>` means older than that one, `PB<sid>` newer."""
    size = query.number("PageSize", USUAL_PAGE, 1, LARGEST_PAGE)
    page = query.number("Page", 0, 0, 10**9)
    start = _start(query.text("PageToken"), newest_first, page, size)
    rows = newest_first[start : start + size]
    more = start + size < len(newest_first)
    return {
        name: [render(row) for row in rows],
        "start": page * size,
        "end": page * size + max(len(rows) - 1, 0),
        "page": page,
        "page_size": size,
        "uri": _link(query, size, page, query.text("PageToken")),
        "first_page_uri": _link(query, size, 0, None),
        "next_page_uri": _link(query, size, page + 1, f"PA{rows[-1].sid}") if more else None,
        "previous_page_uri": (
            _link(query, size, page - 1, f"PB{rows[0].sid}") if page and rows and start else None
        ),
    }


def matching_calls(
    query: Query, oldest_first: Sequence[Call], created_before: datetime | None
) -> list[Call]:
    """The calls that a query is about, newest first. StartTime has the grain of a day."""
    sender, status = query.text("From"), query.text("Status")
    parent = query.text("ParentCallSid")
    on = query.day("StartTime")
    before = query.day("StartTime<")
    since = query.day("StartTime>")
    if parent is not None:
        return []

    def fits(call: Call) -> bool:
        if sender is not None and call.order.from_number != sender:
            return False
        if status is not None and call.status != status:
            return False
        if created_before is not None and call.created > created_before:
            return False
        if on is None and before is None and since is None:
            return True
        if call.started is None:
            return False
        day = call.started.astimezone(UTC).date()
        return (
            (on is None or day == on)
            and (before is None or day < before)
            and (since is None or day >= since)
        )

    return [call for call in reversed(oldest_first) if fits(call)]


def _start(token: str | None, rows: Sequence[Listed], page: int, size: int) -> int:
    if token is None:
        return page * size
    for at, row in enumerate(rows):
        if row.sid == token[2:]:
            return at + 1 if token.startswith("PA") else max(at - size, 0)
    raise errors.refusal(errors.BAD_PARAMETER, "Invalid PageToken")


def _link(query: Query, size: int, page: int, token: str | None) -> str:
    kept = {k: v for k, v in query.fields.items() if k not in ("PageSize", "Page", "PageToken")}
    fields: dict[str, str | int] = {**kept, "PageSize": size, "Page": page}
    if token is not None:
        fields["PageToken"] = token
    return f"{query.path}?{urlencode(fields)}"
