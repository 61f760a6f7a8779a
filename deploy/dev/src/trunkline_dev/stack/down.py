"""`down`: ends what `up` started, by pid; does nothing where nothing runs."""

from __future__ import annotations

import argparse

from trunkline_dev.checkout import checkout_root
from trunkline_dev.stack import compose
from trunkline_dev.stack.options import Options, add_instance
from trunkline_dev.stack.running import Stack


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What may follow `down`."""
    add_instance(parser)
    parser.add_argument("--docker", action="store_true", help="what `up --docker` started")


def run(args: argparse.Namespace) -> int:
    """Stop; 0 however often it is called."""
    if args.docker:
        return compose.down(checkout_root())
    stopped = Stack(checkout_root(), Options(instance=args.instance)).stop()
    print("stopped" if stopped else "was not running")
    return 0
