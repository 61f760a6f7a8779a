"""The checker of the protocol's models: the one on PATH, else Debian's in a folder of ours."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Final

from trunkline_dev.servers.packages import Wanted, fetch

# Needs no library but libc, and an old one: it runs where it was unpacked.
SPIN: Final = Wanted(
    name="spin",
    provide="put spin 6.5 on PATH to check the models",
    suite="bookworm",
    package="spin",
    unpacked=re.compile(r"^Inst (spin) ", re.MULTILINE),
)


def find_spin(cache: Path, *, path: str | None = None) -> Path:
    """The program; where there is no way to one, the refusal says what to provide."""
    on_path = shutil.which("spin", path=path)
    if on_path is not None:
        return Path(on_path)
    return fetch(SPIN, cache / "6.5", lambda _root: None) / "usr/bin/spin"
