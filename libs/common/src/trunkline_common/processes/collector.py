"""Python's collector of cycles, set for processes that live long and make much that dies young."""

from __future__ import annotations

import gc
from typing import Final

# New containers until the youngest are looked at, and looks until the next older are. Python's
# own 700 made a dispatcher spend a quarter of its time on looking: requests, tasks and rows in
# flight are alive each time, so next to nothing was found.
THRESHOLDS: Final = (10_000, 20, 50)


def settle() -> None:
    """Once everything is imported and made: leave it out of all later looks."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
