"""Clocks of processes that are wrong: told by a file each, where faketime's library is there.

Only what says what time it is: what measures how long something takes stays true, as on a real
machine whose clock is set. Debian: `apt-get install faketime`.
"""

from __future__ import annotations

import sysconfig
from pathlib import Path
from typing import Final

WRONG: Final = ("+300", "-300")  # seconds: five minutes ahead, five behind
TRUE: Final = "+0"
_NAME: Final = "libfaketimeMT.so.1"


def library() -> Path | None:
    """Where faketime's library is; None where it is not installed."""
    system = sysconfig.get_config_var("MULTIARCH") or ""
    places = [Path(base, "faketime") for base in (f"/usr/lib/{system}", "/usr/lib", "/usr/lib64")]
    return next((place / _NAME for place in places if (place / _NAME).exists()), None)


LIBRARY: Final = library()


def preloaded(folder: Path) -> dict[str, str]:
    """What a program is told so that it, and what it forks, can have wrong clocks later."""
    if LIBRARY is None:
        return {}
    return {"LD_PRELOAD": str(LIBRARY), **clock(folder, "nursery")}


def clock(folder: Path, name: str) -> dict[str, str]:
    """The clock of one process: the file that says how wrong it is."""
    if LIBRARY is None:
        return {}
    path = folder / "clocks" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        path.write_text(TRUE)
    return {
        "FAKETIME_TIMESTAMP_FILE": str(path),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
    }


def set_clock(folder: Path, name: str, to: str) -> None:
    """From now on (within a second) this process's clock is so wrong."""
    path = Path(clock(folder, name)["FAKETIME_TIMESTAMP_FILE"])
    draft = path.with_suffix(".draft")
    draft.write_text(to)
    draft.replace(path)
