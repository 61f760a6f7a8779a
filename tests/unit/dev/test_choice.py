"""Which server is taken: installed and new enough before our own copy."""

from pathlib import Path

import pytest

from trunkline_dev.refusals import CannotGoOn
from trunkline_dev.servers.given import Given
from trunkline_dev.servers.postgres import find_postgres, parse_version
from trunkline_dev.servers.rabbit import find_rabbit, reason_in, version_in


def install_postgres(folder: Path, version: str) -> Path:
    folder.mkdir(parents=True)
    for name in ("postgres", "initdb"):
        program = folder / name
        program.write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) {version} (Somewhere)'\n")
        program.chmod(0o755)
    return folder


def install_rabbit(home: Path, version: str) -> Path:
    (home / "plugins" / f"rabbit-{version}").mkdir(parents=True)
    (home / "sbin").mkdir()
    (home / "sbin" / "rabbitmq-server").write_text("#!/bin/sh\n")
    (home / "sbin" / "rabbitmq-server").chmod(0o755)
    return home


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A fetched copy of 4.0, so that nothing has to be fetched."""
    root = tmp_path / "cache" / "4.0"
    install_rabbit(root / "usr/lib/rabbitmq/lib/rabbitmq_server-4.0.5", "4.0.5")
    (root / "complete").write_text(str(root))
    return tmp_path / "cache"


@pytest.mark.parametrize(
    ("printed", "version"),
    [
        ("postgres (PostgreSQL) 18.6", "18.6"),
        ("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)", "15.18"),
        ("postgres (PostgreSQL) 19beta1", "19"),
        ("something else", None),
    ],
)
def test_postgres_version(printed: str, version: str | None) -> None:
    assert parse_version(printed) == version


def test_postgres_on_path_comes_first_also_through_a_link(tmp_path: Path) -> None:
    real = install_postgres(tmp_path / "opt" / "bin", "16.1")
    (tmp_path / "path").mkdir()
    (tmp_path / "path" / "postgres").symlink_to(real / "postgres")
    install_postgres(tmp_path / "packaged" / "17" / "bin", "17.2")

    found = find_postgres(str(tmp_path / "path"), tmp_path / "packaged")

    assert (found.folder, found.version, found.major) == (real, "16.1", 16)


def test_postgres_too_old_on_path_gives_way_to_the_newest_package(tmp_path: Path) -> None:
    old = install_postgres(tmp_path / "old", "13.4")
    install_postgres(tmp_path / "packaged" / "15" / "bin", "15.2")
    newest = install_postgres(tmp_path / "packaged" / "17" / "bin", "17.2")

    assert find_postgres(str(old), tmp_path / "packaged").folder == newest


def test_postgres_of_our_own_comes_last(tmp_path: Path) -> None:
    found = find_postgres(str(tmp_path), tmp_path / "packaged")

    assert found.source == "our own copy"
    assert found.major >= 18


def test_rabbit_of_the_package_is_taken_and_not_its_wrapper(tmp_path: Path, cache: Path) -> None:
    home = install_rabbit(tmp_path / "packaged" / "rabbitmq_server-3.10.8", "3.10.8")
    wrapper = tmp_path / "path" / "rabbitmq-server"
    wrapper.parent.mkdir()
    wrapper.touch(mode=0o755)

    found = find_rabbit(cache, path=str(wrapper.parent), packaged=tmp_path / "packaged")

    assert (found.home, found.version, found.series) == (home, "3.10.8", "3.10")


def test_rabbit_on_path_is_followed_to_its_home(tmp_path: Path, cache: Path) -> None:
    home = install_rabbit(tmp_path / "opt" / "rabbit", "4.2.1")
    (tmp_path / "path").mkdir()
    (tmp_path / "path" / "rabbitmq-server").symlink_to(home / "sbin" / "rabbitmq-server")

    found = find_rabbit(cache, path=str(tmp_path / "path"), packaged=tmp_path / "packaged")

    assert (found.home, found.version, found.erlang) == (home, "4.2.1", None)


@pytest.mark.parametrize(("installed", "series"), [("3.9.1", None), ("3.10.8", "4.0")])
def test_rabbit_too_old_or_of_another_series_gives_way_to_our_own_copy(
    tmp_path: Path, cache: Path, installed: str, series: str | None
) -> None:
    install_rabbit(tmp_path / "packaged" / f"rabbitmq_server-{installed}", installed)

    found = find_rabbit(cache, series, path=str(tmp_path), packaged=tmp_path / "packaged")

    assert (found.version, found.source) == ("4.0.5", "our own copy")
    assert found.erlang == cache / "4.0" / "usr/lib/erlang"


def test_rabbit_of_an_unknown_series_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(CannotGoOn, match=r"RabbitMQ 2\.0 is not one of 3\.10, 4\.0, 4\.3"):
        find_rabbit(tmp_path, "2.0", path=str(tmp_path), packaged=tmp_path)


def test_a_folder_without_the_brokers_plugin_is_no_rabbit(tmp_path: Path) -> None:
    (tmp_path / "plugins" / "rabbit_common-4.0.5").mkdir(parents=True)

    assert version_in(tmp_path) is None


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({"amqp_url": "amqp://h/"}, "TRUNKLINE_RABBITMQ_MANAGEMENT_URL"),
        ({"management_url": "http://h"}, "TRUNKLINE_AMQP_URL"),
    ],
)
def test_half_a_broker_is_refused_naming_the_other_half(
    given: dict[str, str], missing: str
) -> None:
    with pytest.raises(CannotGoOn, match=f"^{missing}: "):
        Given(**given)


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ("Starting broker...\n\nerror:{no,port}\n\nCrash dump ... done", "error:{no,port} (see "),
        ("Killed\n", "Killed (see "),
        ("", "it said nothing (see "),
    ],
)
def test_a_node_that_did_not_start_says_why(tmp_path: Path, output: str, reason: str) -> None:
    (tmp_path / "output").write_text(output)

    assert reason_in(tmp_path / "output").startswith(reason)


def test_a_system_without_apt_is_told_in_one_line_what_to_provide(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(CannotGoOn) as refused:
        find_rabbit(tmp_path / "cache", packaged=tmp_path)

    assert str(refused.value) == (
        "no RabbitMQ here and no apt-get to fetch one with: install RabbitMQ, or set "
        "TRUNKLINE_AMQP_URL and TRUNKLINE_RABBITMQ_MANAGEMENT_URL"
    )
    assert not (tmp_path / "cache" / "4.0" / "complete").exists()
