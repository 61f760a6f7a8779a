"""`up`: everything that `down` stops again, on this machine or in containers."""

from __future__ import annotations

import argparse
import signal
import sys
from urllib.parse import unquote, urlsplit

from rich.console import Console

from trunkline_dev.checkout import checkout_root
from trunkline_dev.servers.command import given_by
from trunkline_dev.servers.state import exclusive
from trunkline_dev.settings import Settings
from trunkline_dev.stack import compose
from trunkline_dev.stack.options import SANDBOX, Options, add_instance
from trunkline_dev.stack.rows import rows_on
from trunkline_dev.stack.running import Stack, StackFailed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What may follow `up`."""
    add_instance(parser)
    parser.add_argument("--docker", action="store_true", help="with deploy/dev/compose.yaml")


def run(args: argparse.Namespace) -> int:
    """Start; 0 once every part is ready."""
    if args.docker:
        return compose.up(checkout_root())
    # `kill` on this process takes the way of Ctrl-C: what has started is stopped.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console = Console()
    options = Options(instance=args.instance, given=given_by(Settings()))
    try:
        lock = checkout_root() / ".local" / f"{args.instance}.run"
        with exclusive(lock, within=1.0), rows_on(console) as rows:
            stack = Stack(checkout_root(), options, rows)
            stack.start()
    except StackFailed as failure:
        print(failure, file=sys.stderr)
        return 1
    console.print("\n".join(addresses(stack)), markup=False, highlight=False, soft_wrap=True)
    return 0


def addresses(stack: Stack) -> list[str]:
    """Where to look, and with what."""
    layout = stack.layout
    broker = urlsplit(layout.servers.amqp_url)
    user, password = unquote(broker.username or ""), unquote(broker.password or "")
    return [
        "",
        f"API and its pages   {layout.url('api')}/docs",
        f"operator token      {layout.credentials.operator_token}   (may create businesses)",
        f"RabbitMQ's pages    {layout.servers.management_url}   {user} / {password}",
        f"queues              virtual host {layout.vhost}",
        f"PostgreSQL          {layout.servers.postgres_url}   database {layout.database}",
        f"sandbox's log       {layout.url(SANDBOX)}/sandbox/log   (its pages: /sandbox/docs)",
        f"logs and spans      {layout.log('any').parent}, {layout.spans}",
        "",
        "`make down` stops it.",
    ]
