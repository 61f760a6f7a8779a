"""`migrate`: the schemas of the running stack, brought up to date by each service's own command."""

from __future__ import annotations

import argparse

from trunkline_dev.checkout import checkout_root
from trunkline_dev.refusals import CannotGoOn
from trunkline_dev.stack.options import SERVICES, Options, add_instance
from trunkline_dev.stack.preparation import migrate
from trunkline_dev.stack.running import Stack


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What may follow `migrate`."""
    add_instance(parser)


def run(args: argparse.Namespace) -> int:
    """Migrate every service."""
    stack = Stack(checkout_root(), Options(instance=args.instance))
    if not stack.attach():
        raise CannotGoOn("nothing runs: start it with `make up`, which migrates")
    for service in SERVICES:
        migrate(stack.layout, service)
        print(f"{service}: up to date")
    return 0
