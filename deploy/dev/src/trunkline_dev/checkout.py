"""Where the checkout is: the folder that all private servers and results lie below."""

from __future__ import annotations

from pathlib import Path


def checkout_root() -> Path:
    """The root of the repository this package is installed from."""
    return Path(__file__).resolve().parents[4]
