"""What is known of a contact by name: the same wherever a text is filled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

OWN_FIELDS: Final = ("name", "first_name", "last_name")


class Named(Protocol):
    """Somebody with a name and values of their own."""

    @property
    def name(self) -> str | None: ...
    @property
    def first_name(self) -> str | None: ...
    @property
    def last_name(self) -> str | None: ...
    @property
    def variables(self) -> dict[str, str]: ...


@dataclass(frozen=True, slots=True)
class Lacking:
    """A contact of an audience without a value for some names; `position` is 0 without a list."""

    contact_id: str
    position: int
    missing: list[str]


def known_values(somebody: Named) -> dict[str, str]:
    """Values by name; a field of the contact itself comes before a variable of that name."""
    own = {name: getattr(somebody, name) for name in OWN_FIELDS}
    return {**somebody.variables, **{name: value for name, value in own.items() if value}}
