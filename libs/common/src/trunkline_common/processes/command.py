"""A service as an operating-system process: which of its parts run here, and how they end."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import uvloop
from fastapi import FastAPI
from sqlalchemy import text

from trunkline_common.broker import Drift, probe
from trunkline_common.db.engine import open_database
from trunkline_common.http import Health, create_app, health_routes
from trunkline_common.http.server import serve_http
from trunkline_common.loops import Stop
from trunkline_common.processes import collector
from trunkline_common.processes.leading import Leader
from trunkline_common.processes.parts import SERVE
from trunkline_common.processes.runtime import Command, Process, Runtime, S, Service
from trunkline_common.settings import (
    BAD_SETTINGS_EXIT,
    BadSettings,
    MigrationSettings,
    ProcessSettings,
    read_settings,
)
from trunkline_common.telemetry import Telemetry, setup

log = logging.getLogger(__name__)

DRAIN_SECONDS = 25  # Kubernetes kills after 30


def run_service(service: Service[S], argv: Sequence[str] | None = None) -> int:
    """`python -m trunkline_<service> [COMMAND]`; the exit code."""
    options = _parser(service).parse_args(argv)
    program = f"trunkline_{service.name}"
    try:
        if options.command == "migrate":
            from trunkline_common.db.migrate import migrate  # alembic is for nobody else

            prefix = str(service.settings.model_config.get("env_prefix", ""))
            owner = read_settings(MigrationSettings, prefix=prefix)
            migrate(owner.migration_database_url, service.migrations, schema=service.name)
            return 0
        shared = read_settings(ProcessSettings)
        settings = read_settings(service.settings)
    except BadSettings as error:
        sys.stderr.write(f"{program}: {error}\n")
        return BAD_SETTINGS_EXIT
    command = options.command or shared.service_role
    drift, code = None, 0
    with setup(
        service.name,
        command,
        log_level=shared.log_level,
        spans_dir=shared.trunkline_spans_dir,
        otlp_traces=shared.otlp_traces,
        otlp_metrics=shared.otlp_metrics,
    ) as telemetry:
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                once = next((each for each in service.commands if each.name == command), None)
                chosen = _chosen(service, command, schedulers=shared.enable_schedulers)
                if once is not None:
                    code = runner.run(_once(service, settings, once, options, telemetry))
                else:
                    runner.run(_run(service, settings, chosen, telemetry))
        except* Drift as group:
            drift = _first(group)
    if drift is not None:
        sys.stderr.write(f"{program}: {drift}\n")
    return 1 if drift is not None else code


def _first(error: BaseException) -> BaseException:
    """The first error of a group of groups."""
    return _first(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error


def _parser(service: Service[S]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m trunkline_{service.name}",
        description=service.description,
        epilog="Without a command SERVICE_ROLE decides: all (default), api or worker. "
        "ENABLE_SCHEDULERS=false leaves schedulers out.",
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    commands.add_parser("all", help="everything in one process")
    commands.add_parser("api", help="what answers requests")
    commands.add_parser("worker", help="everything that does not answer requests")
    for process in service.processes:
        commands.add_parser(process.name, help=process.help)
    for once in service.commands:
        once.arguments(commands.add_parser(once.name, help=once.help))
    commands.add_parser("migrate", help="bring the schema up to date, and end")
    return parser


def _chosen(service: Service[S], command: str, *, schedulers: bool) -> tuple[str, ...]:
    """Names of the parts that run in this OS process."""
    roles = {"all": ("api", "worker"), "api": ("api",), "worker": ("worker",)}.get(command)
    if roles is None:
        return (command,)
    return tuple(
        process.name
        for process in service.processes
        if process.role in roles and (schedulers or not process.scheduler)
    )


@asynccontextmanager
async def _runtime(
    service: Service[S], settings: S, telemetry: Telemetry
) -> AsyncIterator[Runtime[S]]:
    """What everything in this OS process works with, until a signal asks for the end."""
    stop = Stop()
    health = Health(draining=stop.is_set)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    application = f"trunkline_{service.name}:{telemetry.process}"
    async with open_database(
        settings.database_url,
        application=application,
        pool_size=settings.pool_size,
        settings=service.database_settings,
    ) as database:
        yield Runtime(
            service.name, settings, database, settings.broker_url, stop, telemetry, health
        )


async def _once(
    service: Service[S],
    settings: S,
    command: Command[S],
    options: argparse.Namespace,
    telemetry: Telemetry,
) -> int:
    async with _runtime(service, settings, telemetry) as runtime:
        return await command.run(runtime, options)


async def _run(
    service: Service[S], settings: S, chosen: tuple[str, ...], telemetry: Telemetry
) -> None:
    async with _runtime(service, settings, telemetry) as runtime:
        processes = [service.process(name) for name in chosen]
        _watch(runtime, processes, serving=SERVE in chosen)
        app = _application(service, runtime, serving=SERVE in chosen)
        collector.settle()
        log.info("process.started", extra={"parts": ",".join(chosen)})
        async with asyncio.TaskGroup() as tasks:
            drained = asyncio.Event()
            tasks.create_task(
                serve_http(
                    app, settings.http_host, settings.http_port, stop=runtime.stop, after=drained
                ),
                name="http",
            )
            tasks.create_task(_drain(runtime, processes, drained), name="processes")
    log.info("process.ended")


async def _drain(
    runtime: Runtime[S], processes: Sequence[Process[S]], drained: asyncio.Event
) -> None:
    """Run the processes until they have ended by themselves, or the drain's time is over."""
    async with asyncio.TaskGroup() as tasks:
        running = [
            tasks.create_task(_until_stop(process, runtime), name=process.name)
            for process in processes
        ]
        await runtime.stop.wait()
        if running:  # asyncio.wait refuses an empty list
            _, late = await asyncio.wait(running, timeout=DRAIN_SECONDS)
            for task in late:
                log.error("process.drain_too_slow", extra={"part": task.get_name()})
                task.cancel()
    drained.set()


async def _until_stop(process: Process[S], runtime: Runtime[S]) -> None:
    """A part that ends before it was asked to takes the OS process with it: something is wrong."""
    if process.scheduler:
        leader = Leader(
            runtime.database, process.name, runtime.stop, lease=runtime.settings.scheduler_lease
        )
        await leader.run(lambda stop: process.run(replace(runtime, stop=stop)))
    else:
        await process.run(runtime)
    if not runtime.stop.is_set():
        raise RuntimeError(f"{process.name} ended by itself")


def _watch(runtime: Runtime[S], processes: Sequence[Process[S]], *, serving: bool) -> None:
    """Readiness. Requests are answered without the broker: the outbox keeps what they said."""

    async def database() -> None:
        async with runtime.database.engine.connect() as connection:
            await connection.execute(text("SELECT 1"))

    runtime.health.add("database", database)
    if any(process.needs_broker for process in processes):
        runtime.health.add("broker", lambda: probe(runtime.broker_url), required=not serving)


def _application(service: Service[S], runtime: Runtime[S], *, serving: bool) -> FastAPI:
    title = f"Trunkline {service.name}"
    if not serving or service.routes is None:
        return create_app(title, health=runtime.health, openapi_url=None)
    made = service.routes(runtime)
    if isinstance(made, FastAPI):
        made.include_router(health_routes(runtime.health))
        return made
    return create_app(title, made, health=runtime.health)
