"""`servers start|stop|status|env`: the private servers by hand."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from dataclasses import asdict
from pathlib import Path

from trunkline_dev.checkout import checkout_root
from trunkline_dev.refusals import CannotGoOn
from trunkline_dev.servers.given import Given
from trunkline_dev.servers.instance import (
    instances,
    running_servers,
    start_servers,
    stop_servers,
)
from trunkline_dev.servers.state import Servers
from trunkline_dev.settings import Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What may follow `servers`."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, summary in (
        ("start", "start them, or find them running"),
        ("stop", "stop them"),
        ("env", "print shell exports of their addresses"),
    ):
        action = actions.add_parser(name, help=summary)
        action.add_argument("--instance", default="dev", help="default: dev")
        if name == "stop":
            action.add_argument("--all", action="store_true", help="every instance")
        if name == "start":
            action.add_argument("--rabbitmq", metavar="SERIES", help="3.10, 4.0 or 4.3")
            action.add_argument("--json", action="store_true", help="print addresses as JSON")
    actions.add_parser("status", help="list the instances of this checkout")


def run(args: argparse.Namespace) -> int:
    """Do it; the exit code."""
    root = checkout_root()
    if args.action == "start":
        return _start(root, args)
    if args.action == "stop":
        for instance in instances(root) if args.all else [args.instance]:
            stopped = stop_servers(root, instance)
            print(f"{instance}: {'stopped' if stopped else 'was not running'}")
        return 0
    if args.action == "env":
        return _print_exports(root, args.instance)
    for instance in instances(root):
        servers = running_servers(root, instance)
        print(f"{instance}: {_summary(servers) if servers else 'stopped'}")
    return 0


def _start(root: Path, args: argparse.Namespace) -> int:
    settings = Settings()
    servers = start_servers(
        root,
        args.instance,
        args.rabbitmq,
        given=given_by(settings),
        report=lambda line: print(line, file=sys.stderr, flush=True),
    )
    if args.json:
        print(json.dumps(asdict(servers)))
    else:
        print(f"{args.instance}: {_summary(servers)}")
    return 0


def given_by(settings: Settings) -> Given:
    """What the environment says of servers."""
    return Given(
        settings.postgres_url,
        settings.amqp_url,
        settings.rabbitmq_management_url,
        settings.broker,
    )


def _print_exports(root: Path, instance: str) -> int:
    servers = running_servers(root, instance)
    if servers is None:
        raise CannotGoOn(f"{instance}: not running; start it with `servers start`")
    for name, value in servers.exports(instance).items():
        print(f"export {name}={shlex.quote(value)}")
    return 0


def _summary(servers: Servers) -> str:
    fields = asdict(servers)
    return "  ".join(str(fields[name]) for name in ("postgres_url", "amqp_url", "management_url"))
