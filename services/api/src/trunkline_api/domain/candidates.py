"""From a table to the contacts that it holds and the rows that cannot be used, with reasons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Final
from zoneinfo import available_timezones

from trunkline_api.domain.columns import Mapping, map_columns
from trunkline_api.domain.countries import country_of
from trunkline_api.domain.phones import Unusable, mask, normalise
from trunkline_api.domain.texts import Table, Unreadable
from trunkline_api.domain.unkeepable import is_keepable, shown

LONGEST_FIELD: Final = 500
LONGEST_VARIABLES: Final = 8 * 1024  # bytes; an audience chunk must hold at least one contact
_RAGGED_SHARE: Final = 0.5


@dataclass(frozen=True, slots=True)
class Candidate:
    """One row that can become a contact."""

    row_number: int
    address: str
    name: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    country: str | None = None
    language: str | None = None
    time_zone: str | None = None
    variables: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reject:
    """One row that cannot, why, and what stood there, masked."""

    row_number: int
    reason: str
    value: str


@dataclass(frozen=True, slots=True)
class Selection:
    """What a file comes to before anybody looks at the contacts that exist already."""

    rows: int
    candidates: list[Candidate]
    rejects: list[Reject]
    columns: dict[str, str]

    def reasons(self) -> dict[str, int]:
        """How many rows were left out for each reason."""
        return dict(Counter(reject.reason for reject in self.rejects))


def select(table: Table, home_country: str) -> Selection:
    """Judge every row; the same address twice in a file is one contact, the first."""
    mapping = map_columns(table.headers)
    if not mapping.phones:
        listed = ", ".join(header[:40] for header in table.headers[:20])
        detail = f"no column of the header looks like a phone number; it reads: {listed}"
        raise Unreadable("import-no-phone-column", detail)
    _refuse_if_ragged(table)
    candidates: dict[str, Candidate] = {}
    rejects: list[Reject] = []
    for number, cells in table.rows:
        judged = _judge(number, cells, mapping, len(table.headers), home_country)
        if isinstance(judged, Reject):
            rejects.append(judged)
        elif judged.address in candidates:
            rejects.append(Reject(number, "duplicate_in_file", mask(judged.address)))
        else:
            candidates[judged.address] = judged
    columns = mapping.described(table.headers)
    return Selection(len(table.rows), list(candidates.values()), rejects, columns)


def _too_wide(cells: Sequence[str], width: int) -> bool:
    return any(cell.strip() for cell in cells[width:])


def _refuse_if_ragged(table: Table) -> None:
    wide = sum(_too_wide(cells, len(table.headers)) for _, cells in table.rows)
    if wide > _RAGGED_SHARE * len(table.rows):
        detail = f"{wide} of {len(table.rows)} rows have more values than the header has columns"
        raise Unreadable("import-ragged", detail)


def _judge(
    number: int, cells: Sequence[str], mapping: Mapping, width: int, home: str
) -> Candidate | Reject:
    def cell(at: int) -> str:
        return cells[at].strip() if at < len(cells) else ""

    raw = next((cell(at) for at in mapping.phones if cell(at)), "")
    if not all(is_keepable(one) for one in cells):
        return Reject(number, "unreadable_character", shown(mask(raw)))
    if _too_wide(cells, width):
        return Reject(number, "ragged_row", mask(raw))
    fields = {name: cell(at) for name, at in mapping.fields.items() if cell(at)}
    country = country_of(fields["country"]) if "country" in fields else home
    phone = normalise(raw, country)
    if isinstance(phone, Unusable):
        return Reject(number, phone.reason, mask(raw))
    variables = {name: cell(at) for at, name in mapping.variables.items() if cell(at)}
    reason = _unfit(fields, variables)
    if reason:
        return Reject(number, reason, mask(raw))
    kept = {name: value for name, value in fields.items() if name != "country"}
    return Candidate(
        number, phone.address, country=phone.country or country, variables=variables, **kept
    )


def _unfit(fields: dict[str, str], variables: dict[str, str]) -> str | None:
    if any(len(value) > LONGEST_FIELD for value in fields.values()):
        return "value_too_long"
    if variables_size(variables) > LONGEST_VARIABLES:
        return "value_too_long"
    if "time_zone" in fields and fields["time_zone"] not in available_zones():
        return "unknown_time_zone"
    return None


def variables_size(variables: dict[str, str]) -> int:
    """Bytes that a contact's own values take on the wire, quotes included."""
    return sum(len(name.encode()) + len(value.encode()) + 6 for name, value in variables.items())


@cache
def available_zones() -> frozenset[str]:
    """IANA's names; reading them takes 20 ms, so once for all rows."""
    return frozenset(available_timezones())
