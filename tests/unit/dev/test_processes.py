"""A process is ended only if it is the one we started, and its neighbours never are."""

import os
import signal
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from trunkline_dev.servers.ports import LOOPBACK, free_ports
from trunkline_dev.servers.processes import (
    Launched,
    birth_of,
    clean_environment,
    launch,
    stop,
    wait_until,
)


def start(tmp_path: Path, *command: str) -> Launched:
    return launch(
        "server", command, folder=tmp_path, log=tmp_path / "log", environment=clean_environment()
    )


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Launched]:
    launched = start(tmp_path, "tail", "-f", "/dev/null")
    yield launched
    stop(launched, within=5)


def test_a_server_runs_in_its_own_session_until_it_is_stopped(server: Launched) -> None:
    assert server.is_running()
    assert os.getsid(server.pid) == server.pid

    stop(server, within=5)

    assert not server.is_running()


def test_a_later_process_with_the_same_pid_is_left_alone(server: Launched) -> None:
    stop(replace(server, birth="another"), within=5)

    assert server.is_running()


def test_a_server_that_does_not_listen_is_ended_with_what_it_started(tmp_path: Path) -> None:
    child = tmp_path / "child"
    script = f"trap '' TERM; tail -f /dev/null & echo $! > {child}; wait; wait"
    server = start(tmp_path, "sh", "-c", script)
    assert wait_until(lambda: child.exists() and child.read_text().endswith("\n"), within=5)
    below = int(child.read_text())
    assert birth_of(below) is not None

    stop(server, within=0.3)

    assert not server.is_running()
    assert wait_until(lambda: birth_of(below) is None, within=5)


def test_a_server_is_asked_in_its_own_way(tmp_path: Path) -> None:
    server = launch(
        "server",
        ["sh", "-c", "trap 'echo interrupted; exit' INT; echo ready; tail -f /dev/null & wait"],
        folder=tmp_path,
        log=tmp_path / "log",
        environment=clean_environment(),
        ends_on=signal.SIGINT,
    )
    assert wait_until(lambda: "ready" in (tmp_path / "log").read_text(), within=5)

    stop(server, within=5)
    # What it had started itself is not a child of ours, and a shell leaves it behind.
    os.killpg(server.pid, signal.SIGKILL)

    assert (tmp_path / "log").read_text() == "ready\ninterrupted\n"


def test_what_it_says_is_in_its_log(tmp_path: Path) -> None:
    server = start(tmp_path, "sh", "-c", "echo out; echo err >&2")

    assert wait_until(lambda: not server.is_running(), within=5)
    assert (tmp_path / "log").read_text() == "out\nerr\n"


def test_a_program_that_is_not_there_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"server could not be started: .*no-such-program"):
        start(tmp_path, "no-such-program")


def test_waiting_ends_with_the_fact_or_with_the_deadline() -> None:
    assert wait_until(lambda: True, within=0)
    assert not wait_until(lambda: False, within=0.1)


def test_ports_are_different_and_free() -> None:
    ports = free_ports(20)

    assert len(set(ports)) == 20
    for port in ports:
        with socket.socket() as one:
            one.bind((LOOPBACK, port))
