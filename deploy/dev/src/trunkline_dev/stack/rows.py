"""A row per part that turns to ready: drawn in place on a terminal, else a line when it does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text


class Rows(Protocol):
    """Where a stack tells how far its parts are."""

    def working(self, part: str, doing: str) -> None:
        """This part has begun."""

    def ready(self, part: str, told: str) -> None:
        """This part can be used."""

    def failed(self, part: str, why: str) -> None:
        """This part will not come."""


class Silent:
    """Tells nothing."""

    def working(self, part: str, doing: str) -> None:
        """See `Rows`."""

    def ready(self, part: str, told: str) -> None:
        """See `Rows`."""

    def failed(self, part: str, why: str) -> None:
        """See `Rows`."""


class PlainRows:
    """One line for each part that is ready or failed."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def working(self, part: str, doing: str) -> None:
        """Nothing yet."""

    def ready(self, part: str, told: str) -> None:
        """Say so."""
        self._say(part, "ready", told)

    def failed(self, part: str, why: str) -> None:
        """Say so."""
        self._say(part, "failed", why)

    def _say(self, part: str, state: str, told: str) -> None:
        self._console.print(f"{part:<12}{state:<8}{told}", markup=False, highlight=False)


class LiveRows:
    """A table that is drawn again as parts come."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._rows: dict[str, tuple[Text | Spinner, str]] = {}

    def working(self, part: str, doing: str) -> None:
        """See `Rows`."""
        self._set(part, Spinner("dots"), doing)

    def ready(self, part: str, told: str) -> None:
        """See `Rows`."""
        self._set(part, Text("ready", "green"), told)

    def failed(self, part: str, why: str) -> None:
        """See `Rows`."""
        self._set(part, Text("failed", "bold red"), why)

    def _set(self, part: str, state: Text | Spinner, told: str) -> None:
        self._rows[part] = (state, told)
        table = Table.grid(padding=(0, 2))
        for name, (shown, words) in self._rows.items():
            table.add_row(Text(name, "bold"), shown, Text(words, "dim"))
        self._live.update(table)


@contextmanager
def rows_on(console: Console) -> Iterator[Rows]:
    """Rows that fit where the output goes."""
    if not console.is_terminal:
        yield PlainRows(console)
        return
    with Live(console=console, refresh_per_second=10) as live:
        yield LiveRows(live)
