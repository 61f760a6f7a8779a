"""What an instance remembers between two commands, and who may write it."""

import os
from pathlib import Path

import pytest

from trunkline_dev.refusals import CannotGoOn
from trunkline_dev.servers.instance import start_servers
from trunkline_dev.servers.privileges import AS_WE_ARE, can_reach, privileges_of
from trunkline_dev.servers.processes import Launched, birth_of
from trunkline_dev.servers.state import Ledger, Servers, exclusive, password_in, read_ledger

SERVERS = Servers("pg", "amqp", "http", "15.1", "installed", "4.0.5", "our own copy")


def ourselves() -> Launched:
    return Launched("us", os.getpid(), birth_of(os.getpid()) or "")


def test_a_ledger_is_read_as_it_was_written(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "servers.json")
    ledger.launched(ourselves())
    assert not read_ledger(ledger.path).is_running()  # the start was not finished

    ledger.servers = SERVERS
    ledger.write()

    assert read_ledger(ledger.path) == ledger
    assert read_ledger(ledger.path).is_running()
    assert ledger.path.stat().st_mode & 0o777 == 0o600


def test_one_dead_process_means_that_the_instance_does_not_run(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "servers.json", servers=SERVERS)
    ledger.launched(ourselves())
    ledger.launched(Launched("gone", os.getpid(), "another birth"))

    assert not read_ledger(ledger.path).is_running()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"processes": [{}], "servers": null}'])
def test_a_broken_ledger_is_an_empty_one(tmp_path: Path, content: str) -> None:
    (tmp_path / "servers.json").write_text(content)

    assert read_ledger(tmp_path / "servers.json") == Ledger(tmp_path / "servers.json")


def test_a_lock_is_held_by_one(tmp_path: Path) -> None:
    lock = tmp_path / "folder" / "dev.lock"
    with (
        exclusive(lock),
        pytest.raises(CannotGoOn, match=r"dev\.lock: in use"),
        exclusive(lock, within=0.1),
    ):
        pass
    with exclusive(lock, within=0.1):
        pass


def test_a_password_is_made_once_and_for_its_owner(tmp_path: Path) -> None:
    first = password_in(tmp_path / "password")

    assert len(first) >= 20
    assert password_in(tmp_path / "password") == first
    assert (tmp_path / "password").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("instance", "prefix"),
    [("test", "TRUNKLINE_TEST_"), ("test-run", "TRUNKLINE_TEST_"), ("demo", "TRUNKLINE_DEMO_")],
)
def test_exports_name_the_instance(instance: str, prefix: str) -> None:
    assert SERVERS.exports(instance) == {
        f"{prefix}POSTGRES_URL": "pg",
        f"{prefix}AMQP_URL": "amqp",
        f"{prefix}MANAGEMENT_URL": "http",
    }


@pytest.mark.parametrize("name", ["", "../dev", "Dev", "rabbitmq", "a" * 40])
def test_an_instance_that_cannot_be_a_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(CannotGoOn, match="cannot name an instance"):
        start_servers(tmp_path, name)
    assert list(tmp_path.iterdir()) == []


def test_an_account_reaches_what_is_open_and_nothing_behind_a_closed_door(tmp_path: Path) -> None:
    pwd = pytest.importorskip("pwd")
    nobody = pwd.getpwnam("nobody")
    assert can_reach(nobody, Path("/bin/sh"))

    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    (closed / "file").touch(mode=0o755)
    assert not can_reach(nobody, closed / "file")


def test_an_ordinary_user_stays_who_they_are() -> None:
    assert privileges_of(None, [Path("/")]) is AS_WE_ARE
