"""How each peer is started, as its documentation says, and how its queue is filled."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.benchmarks.stage import Stage, give_up

APPS: Final = Path(__file__).parent / "apps"
PYTHON: Final = Path(".local/peers/bin/python")
_SECONDS: Final = 300.0


@dataclass(frozen=True, slots=True)
class Peer:
    """A framework: words for its worker, and for what must be there before its queue is filled.

    `table` is there once the latter was done; `quiet` is how long it may take until it begins again
    what a killed worker left behind.
    """

    name: str
    worker: tuple[str, ...]
    module: str
    fill: tuple[str, ...] = ()
    prepare: tuple[str, ...] = ()
    table: str | None = None
    quiet: float = 10.0


def peers(in_flight: int) -> tuple[Peer, ...]:
    """All of them, with so many requests in flight in one worker process."""
    return (*_on_rabbitmq(str(in_flight)), *_ON_POSTGRESQL)


def _on_rabbitmq(many: str) -> tuple[Peer, ...]:
    threads = ("--processes", "1", "--threads", many)
    celery = ("-A", "on_celery", "worker", "-P", "threads", "-c", many, "-l", "ERROR")
    taskiq = ("worker", "on_taskiq:broker", "--workers", "1", "--max-async-tasks", many)
    return (
        Peer("Celery", ("-m", "celery", *celery), "on_celery.py"),
        Peer("Dramatiq", ("-m", "dramatiq", "on_dramatiq", *threads), "on_dramatiq.py"),
        Peer("Taskiq", ("-m", "taskiq", *taskiq, "--log-level", "WARNING"), "on_taskiq.py"),
        Peer("FastStream", ("-m", "faststream", "run", "on_faststream:app"), "on_faststream.py"),
    )


_ON_POSTGRESQL: Final = (
    Peer(
        "Procrastinate",
        ("on_procrastinate.py", "work"),
        "on_procrastinate.py",
        fill=("fill",),
        prepare=("on_procrastinate.py", "schema"),
        table="procrastinate_jobs",
        quiet=100.0,  # a worker is stalled after 30 s, and once a minute somebody looks
    ),
    Peer(
        "PgQueuer",
        ("on_pgqueuer.py", "work"),
        "on_pgqueuer.py",
        fill=("fill",),
        prepare=("-m", "pgqueuer", "install"),
        table="pgqueuer",
        quiet=45.0,  # a job whose heart has not beaten for 30 s is taken again
    ),
)


def environment_of(stage: Stage, provider: str, in_flight: int, jobs: int) -> dict[str, str]:
    """What a peer's programs are told."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("PYTHON")},
        "BENCH_DATABASE": stage.superuser_url,
        "BENCH_BROKER": stage.broker.url,
        "BENCH_PROVIDER": provider,
        "BENCH_IN_FLIGHT": str(in_flight),
        "BENCH_JOBS": str(jobs),
        "PGDSN": stage.superuser_url,
        "PYTHONPATH": str(APPS),
    }


def run(peer: Peer, words: tuple[str, ...], environment: Mapping[str, str]) -> None:
    """One of a peer's programs, to its end."""
    done = subprocess.run(
        [_python(), *words],
        cwd=APPS,
        env=environment,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    if done.returncode:
        give_up(f"{peer.name}: {' '.join(words)} failed:\n{done.stderr[-2000:]}")


@contextmanager
def worker(peer: Peer, environment: Mapping[str, str], log: Path) -> Iterator[int]:
    """The peer's worker, by its process id; killed with its children at the end of the block."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with (
        log.open("ab") as told,
        subprocess.Popen(
            [_python(), *peer.worker],
            cwd=APPS,
            env=environment,
            stdout=told,
            stderr=told,
            start_new_session=True,
        ) as process,
    ):
        try:
            yield process.pid
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def _python() -> str:
    if not PYTHON.exists():
        give_up(f"{PYTHON} is missing: `make bench WHAT=peers` makes it")
    return str(PYTHON.absolute())
