"""What may be chosen about a stack: its name, its sandbox, what each service is told besides."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from trunkline_dev.servers import NOTHING, Given

SANDBOX: Final = "sandbox"
DEV: Final = "dev"  # what `make up` starts
SERVICES: Final = ("api", "outbound", "messaging", "recordings")


@dataclass(frozen=True, slots=True)
class Replica:
    """One process of a service: `Replica("outbound-2", "outbound", "worker")`."""

    name: str
    service: str
    command: str = "all"


ONE_OF_EACH: Final = tuple(Replica(service, service) for service in SERVICES)


def add_instance(parser: argparse.ArgumentParser) -> None:
    """The stack that a command is about."""
    parser.add_argument("--instance", default=DEV, help="its name [%(default)s]")


@dataclass(frozen=True, slots=True)
class Options:
    """One stack. `environment` adds to what a service (or the sandbox) is told, by its name."""

    instance: str = DEV
    speed: float = 60.0
    seed: int = 1
    replicas: tuple[Replica, ...] = ONE_OF_EACH
    environment: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    given: Given = NOTHING
    fresh: bool = False  # nothing of an earlier life of this instance is kept
