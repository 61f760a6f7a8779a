"""The same stack in containers, where an engine answers."""

from __future__ import annotations

import subprocess
from pathlib import Path

from trunkline_dev.refusals import CannotGoOn

_ASK_SECONDS = 20.0
_START_SECONDS = 900.0  # the first start builds images


def up(root: Path) -> int:
    """Start every container and wait until it is healthy."""
    return _compose(root, "up", "--detach", "--build", "--wait")


def down(root: Path) -> int:
    """Stop and remove the containers; volumes stay."""
    return _compose(root, "down")


def _compose(root: Path, *words: str) -> int:
    _needs_an_engine()
    file = root / "deploy" / "dev" / "compose.yaml"
    done = subprocess.run(
        ["docker", "compose", "--file", str(file), *words], check=False, timeout=_START_SECONDS
    )
    return 1 if done.returncode else 0


def _needs_an_engine() -> None:
    try:
        asked = subprocess.run(
            ["docker", "info"], capture_output=True, check=False, timeout=_ASK_SECONDS
        )
    except (FileNotFoundError, subprocess.TimeoutExpired):
        asked = None
    if asked is None or asked.returncode != 0:
        raise CannotGoOn(
            "no container engine answers to `docker info`: start one, or run `make up` without it"
        )
