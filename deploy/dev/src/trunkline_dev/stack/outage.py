"""A broker's outage: the instance's own RabbitMQ ends, and comes back where it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from trunkline_dev.refusals import CannotGoOn
from trunkline_dev.servers.given import management_overview
from trunkline_dev.servers.processes import Launched, launch, stop, wait_until
from trunkline_dev.servers.state import Ledger, Servers, read_ledger

_NAME: Final = "rabbitmq"
_STOP_SECONDS: Final = 30.0
_START_SECONDS: Final = 90.0


@contextmanager
def broker_outage(folder: Path) -> Iterator[None]:
    """While the block runs, the broker of the instance in this folder is gone."""
    ledger = read_ledger(folder / "servers.json")
    process = next((one for one in ledger.processes if one.name == _NAME), None)
    if process is None or ledger.servers is None:
        raise CannotGoOn("this instance has no broker of its own that could be stopped")
    environment = _environment_of(process)
    stop(process, within=_STOP_SECONDS)
    try:
        yield
    finally:
        _start_again(ledger, process, environment, ledger.servers)


def _environment_of(process: Launched) -> dict[str, str]:
    """What the node was told: its ports and folders, so that it comes back as the same node."""
    pairs = Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0")
    told = (pair.decode().partition("=") for pair in pairs if pair)
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
