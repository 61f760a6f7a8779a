"""An instance: one PostgreSQL and one RabbitMQ that belong together, below `.local/<instance>`."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

from trunkline_dev.refusals import CannotGoOn
from trunkline_dev.servers.given import NOTHING, Given, broker_version, postgres_version
from trunkline_dev.servers.postgres import find_postgres, start_postgres
from trunkline_dev.servers.processes import stop
from trunkline_dev.servers.rabbit import find_rabbit, series_of, start_rabbit
from trunkline_dev.servers.state import Ledger, Servers, exclusive, read_ledger

_STOP_SECONDS = 20.0
_GIVEN = "given by URL"


def start_servers(
    root: Path,
    instance: str,
    broker: str | None = None,
    *,
    given: Given = NOTHING,
    throwaway: bool | None = None,
    report: Callable[[str], None] = print,
) -> Servers:
    """Start an instance's servers, or find them running; blocks until both answer.

    Each server is the one given by URL, else one installed here, else our own copy; `broker` asks
    for one series, else `given` may. A throwaway instance (every `test...`) begins empty and does
    not wait for the disk.
    """
    folder = _folder(root, instance)
    broker = broker or given.series
    if throwaway is None:
        throwaway = instance.startswith("test")
    with exclusive(folder.with_suffix(".lock")):
        ledger = read_ledger(folder / "servers.json")
        if ledger.servers and ledger.is_running() and _fits(ledger.servers, broker, given):
            return _reported(ledger.servers, report)
        _stop(ledger)
        if throwaway:
            shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        ledger = Ledger(folder / "servers.json")
        try:
            ledger.servers = Servers(
                **_postgres(folder, ledger, given, throwaway=throwaway),
                **_rabbit(root, folder, ledger, given, instance=instance, series=broker),
            )
            ledger.write()
        except BaseException:
            _stop(ledger)
            raise
        return _reported(ledger.servers, report)


def stop_servers(root: Path, instance: str) -> bool:
    """Stop what was started for an instance; whether anything was running."""
    folder = _folder(root, instance)
    if not folder.exists():
        return False
    with exclusive(folder.with_suffix(".lock")):
        return _stop(read_ledger(folder / "servers.json"))


def running_servers(root: Path, instance: str) -> Servers | None:
    """The servers of an instance if they run."""
    ledger = read_ledger(_folder(root, instance) / "servers.json")
    return ledger.servers if ledger.is_running() else None


def instances(root: Path) -> list[str]:
    """Every instance that was ever started in this checkout."""
    return sorted(path.parent.name for path in (root / ".local").glob("*/servers.json"))


def _folder(root: Path, instance: str) -> Path:
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,30}", instance) or instance == "rabbitmq":
        raise CannotGoOn(f"{instance!r} cannot name an instance: use a-z, 0-9 and hyphens")
    return root.absolute() / ".local" / instance


def _fits(servers: Servers, broker: str | None, given: Given) -> bool:
    def same(url: str, source: str, wanted: str | None) -> bool:
        return url == wanted if wanted else source != _GIVEN

    return (
        same(servers.postgres_url, servers.postgres_source, given.postgres_url)
        and same(servers.amqp_url, servers.rabbitmq_source, given.amqp_url)
        and (broker is None or series_of(servers.rabbitmq_version) == broker)
    )


def _postgres(folder: Path, ledger: Ledger, given: Given, *, throwaway: bool) -> dict[str, str]:
    if given.postgres_url is not None:
        version, source, url = postgres_version(given.postgres_url), _GIVEN, given.postgres_url
    else:
        programs = find_postgres()
        version, source = programs.version, programs.source
        url = start_postgres(programs, folder, ledger, throwaway=throwaway)
    return {"postgres_url": url, "postgres_version": version, "postgres_source": source}


def _rabbit(
    root: Path, folder: Path, ledger: Ledger, given: Given, *, instance: str, series: str | None
) -> dict[str, str]:
    if given.amqp_url is not None and given.management_url is not None:
        amqp, management, source = given.amqp_url, given.management_url, _GIVEN
        version = broker_version(amqp, management)
        if series is not None and series_of(version) != series:
            raise CannotGoOn(f"TRUNKLINE_AMQP_URL: RabbitMQ {version}, but {series} was asked for")
    else:
        programs = find_rabbit(root.absolute() / ".local" / "rabbitmq", series)
        version, source = programs.version, programs.source
        amqp, management = start_rabbit(programs, folder, instance, ledger)
    return {
        "amqp_url": amqp,
        "management_url": management,
        "rabbitmq_version": version,
        "rabbitmq_source": source,
    }


def _stop(ledger: Ledger) -> bool:
    """Last started, first stopped: the broker before the mapper that knows its name."""
    ran = [process for process in reversed(ledger.processes) if process.is_running()]
    for process in ran:
        stop(process, within=_STOP_SECONDS)
    if ledger.processes or ledger.servers:
        ledger.processes.clear()
        ledger.servers = None
        ledger.write()
    return bool(ran)


def _reported(servers: Servers, report: Callable[[str], None]) -> Servers:
    report(f"PostgreSQL {servers.postgres_version}, {servers.postgres_source}")
    report(f"RabbitMQ {servers.rabbitmq_version}, {servers.rabbitmq_source}")
    return servers
