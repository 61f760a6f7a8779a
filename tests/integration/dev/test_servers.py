"""Both private servers for real: started twice at once, killed, started again, stopped, gone."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg
import pytest

from trunkline_dev.checkout import checkout_root
from trunkline_dev.refusals import CannotGoOn
from trunkline_dev.servers import Given, start_servers, stop_servers
from trunkline_dev.servers.given import broker_version, postgres_version
from trunkline_dev.servers.instance import running_servers
from trunkline_dev.servers.postgres import find_postgres, start_postgres
from trunkline_dev.servers.processes import Launched, stop, wait_until
from trunkline_dev.servers.rabbit import find_rabbit
from trunkline_dev.servers.state import Ledger, read_ledger

pytestmark = pytest.mark.timeout(300)
NOBODY = 65534


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """A checkout of its own that shares only the fetched brokers."""
    cache = checkout_root() / ".local" / "rabbitmq"
    cache.mkdir(parents=True, exist_ok=True)
    (tmp_path / ".local").mkdir()
    (tmp_path / ".local" / "rabbitmq").symlink_to(cache)
    yield tmp_path
    for instance in ("test", "guest"):
        stop_servers(tmp_path, instance)


def processes(root: Path, instance: str) -> dict[str, Launched]:
    ledger = read_ledger(root / ".local" / instance / "servers.json")
    return {process.name: process for process in ledger.processes}


def test_the_life_of_an_instance(root: Path) -> None:
    with ThreadPoolExecutor() as threads:
        both = list(threads.map(lambda _: start_servers(root, "test"), range(2)))
    first = both[0]
    ran = processes(root, "test")
    assert both[1] == first == running_servers(root, "test")
    assert ran.keys() == {"postgres", "epmd", "rabbitmq"}
    assert postgres_version(first.postgres_url) == first.postgres_version
    assert broker_version(first.amqp_url, first.management_url) == first.rabbitmq_version

    given = Given(first.postgres_url, first.amqp_url, first.management_url)
    guest = start_servers(root, "guest", given=given)
    assert (guest.postgres_source, guest.rabbitmq_source) == ("given by URL", "given by URL")
    assert stop_servers(root, "guest") is False
    with pytest.raises(CannotGoOn, match=r"but 3\.9 was asked for"):
        start_servers(root, "guest", given=replace(given, series="3.9"))
    assert running_servers(root, "test") == first

    os.kill(ran["postgres"].pid, signal.SIGKILL)
    assert wait_until(lambda: running_servers(root, "test") is None, within=10)
    second = start_servers(root, "test")
    assert postgres_version(second.postgres_url)
    assert not any(process.is_running() for process in ran.values())

    ran = processes(root, "test")
    assert stop_servers(root, "test") is True
    assert stop_servers(root, "test") is False
    assert not any(process.is_running() for process in ran.values())
    assert running_servers(root, "test") is None


async def test_our_own_postgres_keeps_what_a_lasting_instance_wrote(tmp_path: Path) -> None:
    programs = find_postgres(str(tmp_path), tmp_path)
    ledger = Ledger(tmp_path / "servers.json")
    try:
        connection = await asyncpg.connect(
            start_postgres(programs, tmp_path, ledger, throwaway=False), timeout=10
        )
        await connection.execute("CREATE TABLE kept AS SELECT 7 AS n, 'Łódź' AS city")
        stop(ledger.processes[0], within=20)  # in good order, although we are still connected
        log = tmp_path / f"postgres-{programs.major}" / "log"
        assert "database system is shut down" in log.read_text()
        connection.terminate()
        again = await asyncpg.connect(
            start_postgres(programs, tmp_path, ledger, throwaway=False), timeout=10
        )
        assert await again.fetchval("SELECT city FROM kept WHERE n = 7") == "Łódź"
        assert await again.fetchval("SELECT current_setting('fsync')") == "on"
        await again.close(timeout=10)
    finally:
        for process in ledger.processes:
            stop(process, within=20)


async def test_postgres_asks_for_its_password(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "servers.json")
    url = start_postgres(find_postgres(), tmp_path, ledger, throwaway=True)
    try:
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(url, password="wrong", timeout=10)
    finally:
        stop(ledger.processes[0], within=20)


@pytest.fixture
def open_root(root: Path) -> Iterator[Path]:
    """The same in an ordinary user's own folder, outside of pytest's that only its user may enter.

    An account with the right to pass closed doors is not enough there: RabbitMQ asks access(2).
    """
    with TemporaryDirectory(dir="/tmp") as folder:
        (Path(folder) / ".local").mkdir()
        (Path(folder) / ".local" / "rabbitmq").symlink_to((root / ".local" / "rabbitmq").resolve())
        for path in (Path(folder), Path(folder) / ".local"):
            os.chown(path, NOBODY, NOBODY)
        yield Path(folder)
        stop_servers(Path(folder), "test")


@pytest.mark.skipif(os.geteuid() != 0, reason="every other test here is an ordinary user's already")
def test_an_ordinary_user_starts_and_stops_both(open_root: Path) -> None:
    programs = find_rabbit(open_root / ".local" / "rabbitmq")  # fetched as root, used by others
    script = f"""
from pathlib import Path
from trunkline_dev.servers import start_servers, stop_servers
servers = start_servers(Path({str(open_root)!r}), "test")
assert stop_servers(Path({str(open_root)!r}), "test")
print(servers.rabbitmq_version, servers.postgres_version)
"""
    done = subprocess.run(
        # Python and the checkout may lie below root's closed home: passing that door is kept.
        [
            "setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups",
            "--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search",
            sys.executable, "-c", script,
        ],
        env={"PATH": os.environ["PATH"], "HOME": str(open_root)},
        cwd=open_root,
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"{programs.version} {find_postgres().version}"
