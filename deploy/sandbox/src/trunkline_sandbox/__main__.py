"""`python -m trunkline_sandbox serve`: a Twilio and a Meta of our own, with a witness."""

import argparse
import sys
from collections.abc import Sequence
from typing import Any

import uvloop
from pydantic import ValidationError

from trunkline_sandbox.server import serve
from trunkline_sandbox.settings import SandboxSettings
from trunkline_sandbox.witness import WitnessInUseError

PREFIX = "SANDBOX_"


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, check, serve."""
    given = vars(_parser().parse_args(arguments))
    given.pop("command")
    try:
        settings = SandboxSettings(**{name: text for name, text in given.items() if text})
    except ValidationError as error:
        sys.stderr.write(f"{_complaint(error)}\n")
        return 2
    try:
        uvloop.run(serve(settings))
    except WitnessInUseError:
        sys.stderr.write(f"{PREFIX}LOG: another sandbox writes this file\n")
        return 2
    except OSError as error:
        sys.stderr.write(f"{PREFIX}HOST, {PREFIX}PORT or {PREFIX}LOG: {error.strerror}\n")
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m trunkline_sandbox",
        description="Stand-ins for Twilio's voice API and Meta's WhatsApp Cloud API, with real "
        "signatures, faults to order, and an append-only log of what was really asked.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    command = commands.add_parser(
        "serve",
        help="run the sandbox",
        description="Run the sandbox. Each option may also be given by the variable in brackets.",
    )
    for name, field in SandboxSettings.model_fields.items():
        usual = str(field.default).replace("%", "%%")
        command.add_argument(
            f"--{name.replace('_', '-')}",
            dest=name,
            metavar=name.rpartition("_")[2].upper(),
            help=f"{field.description} (default {usual}) [{PREFIX}{name.upper()}]",
        )
    return parser


def _complaint(error: ValidationError) -> str:
    """One line that names the variable."""
    first: dict[str, Any] = dict(error.errors()[0])
    name = str(first["loc"][0]).upper() if first["loc"] else "LOG"
    return f"{PREFIX}{name}: {first['msg']}"


if __name__ == "__main__":
    sys.exit(main())
