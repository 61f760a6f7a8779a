"""`migrate`: the schemas of the running stack, brought up to date by each service's own command."""

from __future__ import annotations

import argparse

from trunkline_dev.checkout import checkout_root
from trunkline_dev.refusals import CannotGoOn
from trunkline_dev.stack.options import SERVICES, Options
from trunkline_dev.stack.preparation import migrate
from trunkline_dev.stack.running import Stack
from trunkline_dev.stack.up import INSTANCE


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Nothing may follow `migrate`."""


def run(_args: argparse.Namespace) -> int:
    """Migrate every service."""
    stack = Stack(checkout_root(), Options(instance=INSTANCE))
    if not stack.attach():
        raise CannotGoOn("nothing runs: start it with `make up`, which migrates")
    for service in SERVICES:
        migrate(stack.layout, service)
        print(f"{service}: up to date")
    return 0
