"""Outages: the instance's own RabbitMQ or PostgreSQL ends, and comes back where it was."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from trunkline_dev.refusals import CannotGoOn
from trunkline_dev.servers.given import management_overview
from trunkline_dev.servers.postgres import is_ready
from trunkline_dev.servers.privileges import privileges_of, unprivileged_account
from trunkline_dev.servers.processes import (
    Launched,
    clean_environment,
    launch,
    stop,
    wait_until,
)
from trunkline_dev.servers.state import Ledger, Servers, read_ledger

_NAME: Final = "rabbitmq"
_POSTGRES: Final = "postgres"
_STOP_SECONDS: Final = 30.0
_START_SECONDS: Final = 90.0


@contextmanager
def broker_outage(folder: Path, *, crash: bool = False) -> Iterator[None]:
    """While the block runs, the broker of the instance in this folder is gone.

    A `crash` is a kill of the node, as when its machine is gone: it says goodbye to nobody.
    """
    ledger, servers, process = _own(folder, _NAME)
    environment = _environment_of(process)
    if crash:
        os.killpg(process.pid, signal.SIGKILL)
        wait_until(lambda: not process.is_running(), within=_STOP_SECONDS)
    else:
        stop(process, within=_STOP_SECONDS)
    try:
        yield
    finally:
        _start_again(ledger, process, environment, servers)


@contextmanager
def database_outage(folder: Path) -> Iterator[None]:
    """While the block runs, PostgreSQL is gone: it was stopped at once, and has to recover."""
    ledger, _, process = _own(folder, _POSTGRES)
    command = [word.decode() for word in _words(process, "cmdline")]
    data = Path(command[command.index("-D") + 1])
    os.kill(process.pid, signal.SIGQUIT)
    wait_until(lambda: not process.is_running(), within=_STOP_SECONDS)
    try:
        yield
    finally:
        privileges = privileges_of(unprivileged_account(), [data.parent, Path(command[0])])
        ledger.processes.remove(process)
        again = ledger.launched(
            launch(
                _POSTGRES,
                command,
                folder=data.parent,
                log=data.with_name("log"),
                environment=clean_environment("PG"),
                privileges=privileges,
                ends_on=signal.SIGINT,
            )
        )
        if not wait_until(lambda: is_ready(data, again), within=_START_SECONDS):
            raise CannotGoOn(f"PostgreSQL did not come back (see {data.with_name('log')})")


def rabbitmqctl(folder: Path, *words: str) -> str:
    """Order something of the instance's own node; what it says."""
    *_, process = _own(folder, _NAME)
    environment = _environment_of(process)
    program = Path(environment["RABBITMQ_HOME"]) / "sbin" / "rabbitmqctl"
    done = subprocess.run(
        [str(program), "-q", *words],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=_START_SECONDS,
    )
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise CannotGoOn(f"rabbitmqctl {words[0]}: {said[-1] if said else done.returncode}")
    return done.stdout


def _own(folder: Path, name: str) -> tuple[Ledger, Servers, Launched]:
    ledger = read_ledger(folder / "servers.json")
    process = next((one for one in ledger.processes if one.name == name), None)
    if process is None or ledger.servers is None:
        raise CannotGoOn(f"this instance has no {name} of its own that could be stopped")
    return ledger, ledger.servers, process


def _words(process: Launched, what: str) -> list[bytes]:
    content = Path(f"/proc/{process.pid}/{what}").read_bytes()
    return content.rstrip(b"\0").split(b"\0")


def _environment_of(process: Launched) -> dict[str, str]:
    """What the node was told: its ports and folders, so that it comes back as the same node."""
    told = (pair.decode().partition("=") for pair in _words(process, "environ") if pair)
    return {name: value for name, _, value in told}


def _start_again(
    ledger: Ledger, before: Launched, environment: dict[str, str], servers: Servers
) -> None:
    home = Path(environment["HOME"])
    program = Path(environment["RABBITMQ_HOME"]) / "sbin" / "rabbitmq-server"
    ledger.processes.remove(before)
    process = ledger.launched(
        launch(_NAME, [str(program)], folder=home, log=home / "output", environment=environment)
    )

    def answers() -> bool:
        try:
            management_overview(servers.amqp_url, servers.management_url)
        except (OSError, ValueError):
            return False
        return True

    if not wait_until(answers, within=_START_SECONDS):
        stop(process, within=_STOP_SECONDS)
        raise CannotGoOn(f"RabbitMQ did not come back (see {home / 'output'})")
