"""One theatre for all waves, and the line that says which of them are played."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.faults.clocks import LIBRARY
from tests.faults.matrix import Theatre
from tests.faults.plan import PLAN, SETTINGS
from tests.faults.storm import STORMS


@pytest.fixture(scope="session")
def theatre() -> Iterator[Theatre]:
    """Every process of every service, under the laboratory's eyes."""
    with Theatre.open(SETTINGS.instance, plant=SETTINGS.plant) as opened:
        yield opened


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was played, and how to play it again: shown however quiet the run is."""
    terminalreporter.write_line(str(PLAN))
    if LIBRARY is None:
        terminalreporter.write_line("clocks are right: `skew` needs Debian's package faketime")
    for weather in STORMS:
        terminalreporter.write_line(str(weather))
