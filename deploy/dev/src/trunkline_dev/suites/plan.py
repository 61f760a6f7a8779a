"""The suites in the order they run, each with its budget: data only."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path
from typing import Final

MEMBERS: Final = (
    "libs/common",
    "services/api",
    "services/outbound",
    "services/messaging",
    "services/recordings",
    "deploy/sandbox",
    "deploy/dev",
)
BROKERS: Final = ("3.10", "4.0", "4.3")


class Needs(Enum):
    """What must be running before a suite begins."""

    NOTHING = auto()
    SERVERS = auto()


@dataclass(frozen=True, slots=True)
class Command:
    """One program of the environment's, and the folder of the checkout it runs in."""

    program: str
    arguments: tuple[str, ...] = ()
    folder: str = "."

    def line(self, programs: Path) -> list[str]:
        """What is executed."""
        return [str(programs / self.program), *self.arguments]

    def shown(self) -> str:
        """What a reader may type to run it alone."""
        where = "" if self.folder == "." else f"cd {self.folder} && "
        return where + " ".join((self.program, *self.arguments))


@dataclass(frozen=True, slots=True)
class Suite:
    """Commands that stand or fall together. A pytest suite names its folders and no commands."""

    name: str
    budget: int  # seconds; a suite that needs more is slow, not wrong
    commands: tuple[Command, ...] = ()
    folders: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    needs: Needs = Needs.NOTHING
    environment: dict[str, str] = field(default_factory=dict)

    def steps(self, report: Path) -> tuple[Command, ...]:
        """Every command of the suite; pytest writes its counts to the report."""
        if not self.folders:
            return self.commands
        options = (*self.options, f"--junitxml={report}")
        return (*self.commands, Command("pytest", ("-q", *options, *self.folders)))


SUITES: Final = (
    Suite(
        "lint",
        10,
        (
            Command("ruff", ("check", ".")),
            Command("ruff", ("format", "--check", ".")),
            Command("lint-imports", ("--no-logo",)),
            *(Command("deptry", ("src",), member) for member in MEMBERS),
        ),
    ),
    Suite("types", 32, (Command("mypy", ("libs", "services", "deploy", "tests")),)),
    Suite("unit", 28, folders=("tests/unit",)),
    Suite("architecture", 35, folders=("tests/architecture",)),
    Suite("contracts", 15, folders=("tests/contracts",)),
    Suite("models", 75, folders=("tests/models",), options=("-n", "2", "--dist", "worksteal")),
    Suite(
        "integration", 370, folders=("tests/integration",), options=("-n", "2"), needs=Needs.SERVERS
    ),
    Suite("e2e", 160, folders=("tests/e2e",), needs=Needs.SERVERS),
    Suite("demo", 28, (Command("python", ("-m", "trunkline_dev", "demo", "--short")),)),
    # It strikes servers, and so has its own.
    Suite(
        "faults",
        140,
        folders=("tests/faults",),
        options=("--ignore=tests/faults/long",),
        environment={"FAULTS_BRIEF": "1"},
    ),
)


def broker_suite(series: str) -> Suite:
    """The tests of the broker package against one series of RabbitMQ."""
    return Suite(
        f"broker {series}",
        90,
        folders=("tests/integration",),
        options=("-n", "2", "-m", "broker"),
        needs=Needs.SERVERS,
    )


def choose(names: list[str]) -> tuple[Suite, ...]:
    """The suites of these names in the plan's order; all of them if none is named."""
    return tuple(suite for suite in SUITES if not names or suite.name in names)
