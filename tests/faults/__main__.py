"""`make faults`: matrix, storms and the parts' short forms; with LONG=1 the parts as well."""

from __future__ import annotations

import sys

import pytest
from tests.faults.long.__main__ import main as play_parts
from tests.faults.long.parts import wanted
from tests.faults.plan import SETTINGS


def main() -> int:
    """One part alone, or everything; not 0 if something did not hold."""
    parts = wanted(SETTINGS.only) if SETTINGS.long else []
    if SETTINGS.only and parts:
        return play_parts()
    status = int(pytest.main(["-q", "tests/faults"]))
    return status or (play_parts() if parts else 0)


if __name__ == "__main__":
    sys.exit(main())
