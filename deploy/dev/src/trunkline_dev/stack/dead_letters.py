"""`dead-letters`: messages of the running stack that nobody could handle, and their replay."""

from __future__ import annotations

import argparse
import subprocess
import sys

from trunkline_dev.checkout import checkout_root
from trunkline_dev.refusals import CannotGoOn
from trunkline_dev.stack.options import Options, add_instance
from trunkline_dev.stack.running import Stack

_SECONDS = 300.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What follows is handed on: `list`, `show`, `replay`, `discard`."""
    add_instance(parser)
    parser.add_argument("words", nargs=argparse.REMAINDER, metavar="list|show|replay|discard ...")


def run(args: argparse.Namespace) -> int:
    """Hand over to the broker package's own command."""
    stack = Stack(checkout_root(), Options(instance=args.instance))
    if not stack.attach():
        raise CannotGoOn("nothing runs: start it with `make up`")
    action, *rest = args.words or ["list"]
    command = [sys.executable, "-m", "trunkline_common.broker.dead_letters"]
    done = subprocess.run(
        [*command, action, stack.layout.broker_url, *rest], check=False, timeout=_SECONDS
    )
    return done.returncode
