"""The golden schemas of new events, written from the contracts."""

from __future__ import annotations

import argparse
import subprocess
import sys

from trunkline_dev.checkout import checkout_root

_SECONDS = 60.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Nothing may follow."""


def run(_args: argparse.Namespace) -> int:
    """Run the generator in the checkout."""
    command = [sys.executable, "-m", "trunkline_common.schemas", "tests/contracts/golden"]
    return subprocess.run(command, cwd=checkout_root(), check=False, timeout=_SECONDS).returncode
