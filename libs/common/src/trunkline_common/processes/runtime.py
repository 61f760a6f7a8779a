"""What a service is made of, and what each of its processes works with."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Literal

from fastapi import APIRouter, FastAPI
from typing_extensions import TypeVar

from trunkline_common.db.engine import Database
from trunkline_common.http import Health
from trunkline_common.loops import Stop
from trunkline_common.settings import ServiceSettings
from trunkline_common.telemetry import Telemetry

S = TypeVar("S", bound=ServiceSettings, default=ServiceSettings)


@dataclass(frozen=True)
class Runtime(Generic[S]):
    """What every process of a service works with."""

    service: str
    settings: S
    database: Database
    broker_url: str
    stop: Stop
    telemetry: Telemetry
    health: Health


@dataclass(frozen=True)
class Process(Generic[S]):
    """One part of a service that can run by itself; `run` returns soon after `runtime.stop`.

    A `scheduler` is skipped where `ENABLE_SCHEDULERS=false`, and of all replicas that run it one
    ticks: `run` is called with a runtime that stops when its lease is lost. One that `needs_broker`
    makes the OS process unready without it.
    """

    name: str
    help: str
    run: Callable[[Runtime[S]], Coroutine[Any, Any, None]]
    role: Literal["api", "worker"] = "worker"
    scheduler: bool = False
    needs_broker: bool = False


@dataclass(frozen=True)
class Command(Generic[S]):
    """Something that an operator asks for once: `run` ends by itself, with the exit code.

    What it has to say goes to standard output; it looks at `runtime.stop` between units of work.
    """

    name: str
    help: str
    run: Callable[[Runtime[S], Namespace], Coroutine[Any, Any, int]]
    arguments: Callable[[ArgumentParser], None]


@dataclass(frozen=True)
class Service(Generic[S]):
    """A service: its settings, processes, routes, commands and the package of its migrations.

    `routes` gives routers, or a whole application made by `create_app` (health is added to it).
    They are answered where the process `serve` runs. `database_settings` are PostgreSQL's, for
    every connection of the service.
    """

    name: str
    description: str
    settings: type[S]
    processes: tuple[Process[S], ...]
    migrations: str
    database_settings: Mapping[str, str] = field(default_factory=dict)
    routes: Callable[[Runtime[S]], Sequence[APIRouter] | FastAPI] | None = None
    commands: tuple[Command[S], ...] = ()

    def process(self, name: str) -> Process[S]:
        """The process of this name."""
        return next(process for process in self.processes if process.name == name)
