"""The one door to everything a developer runs: `python -m trunkline_dev COMMAND`."""

from __future__ import annotations

import argparse
import importlib
import sys
from typing import Final

from trunkline_dev.refusals import CannotGoOn

# name -> (module with `add_arguments(parser)` and `run(args) -> exit code`, what it does).
# A module is imported only when its command is the one given: starting stays quick.
COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "demo": ("trunkline_dev.demo.command", "a campaign from end to end, and whether it adds up"),
    "up": ("trunkline_dev.stack.up", "start servers, sandbox and services to play with"),
    "down": ("trunkline_dev.stack.down", "stop them"),
    "migrate": ("trunkline_dev.stack.migrate", "bring the running stack's schemas up to date"),
    "dead-letters": ("trunkline_dev.stack.dead_letters", "what the running stack could not handle"),
    "topology": ("trunkline_dev.topology", "write deploy/topology.json"),
    "schemas": ("trunkline_dev.schemas", "write the golden schemas of new events"),
    "servers": ("trunkline_dev.servers.command", "private PostgreSQL and RabbitMQ"),
    "test": ("trunkline_dev.suites.command", "every suite that CI runs, against its own servers"),
}


def main(argv: list[str]) -> int:
    """Hand over to one command; its exit code."""
    parser = argparse.ArgumentParser(prog="python -m trunkline_dev", description=__doc__)
    listing = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    chosen = next((word for word in argv if word in COMMANDS), None)
    for name, (module, summary) in COMMANDS.items():
        command_parser = listing.add_parser(name, help=summary, description=summary)
        if name == chosen:
            importlib.import_module(module).add_arguments(command_parser)
    args = parser.parse_args(argv)
    try:
        code: int = importlib.import_module(COMMANDS[args.command][0]).run(args)
    except CannotGoOn as refusal:
        print(refusal, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
