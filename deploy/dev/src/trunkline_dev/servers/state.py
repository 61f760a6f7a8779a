"""What is known of an instance between two commands: its servers' addresses and processes."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from trunkline_dev.refusals import CannotGoOn
from trunkline_dev.servers.processes import Launched, wait_until

_LOCK_SECONDS = 300.0  # another start may be fetching a broker


@dataclass(frozen=True, slots=True)
class Servers:
    """Where the servers of an instance are, and what they are."""

    postgres_url: str
    amqp_url: str
    management_url: str
    postgres_version: str
    postgres_source: str
    rabbitmq_version: str
    rabbitmq_source: str

    def exports(self, instance: str) -> dict[str, str]:
        """The variables that tell another process where these servers are."""
        kind = "TEST" if instance.startswith("test") else instance.upper().replace("-", "_")
        return {
            f"TRUNKLINE_{kind}_POSTGRES_URL": self.postgres_url,
            f"TRUNKLINE_{kind}_AMQP_URL": self.amqp_url,
            f"TRUNKLINE_{kind}_MANAGEMENT_URL": self.management_url,
        }


@dataclass(slots=True)
class Ledger:
    """The file that remembers. A process enters it at birth, so even a killed start is undone."""

    path: Path
    processes: list[Launched] = field(default_factory=list)
    servers: Servers | None = None

    def launched(self, process: Launched) -> Launched:
        """Remember a process before anything else is done with it."""
        self.processes.append(process)
        self.write()
        return process

    def write(self) -> None:
        """Replace the file at once, readable by its owner only: it holds passwords."""
        content = {
            "processes": [asdict(process) for process in self.processes],
            "servers": asdict(self.servers) if self.servers else None,
        }
        draft = self.path.with_suffix(".draft")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(content, file, indent=2)
        draft.replace(self.path)

    def is_running(self) -> bool:
        """Whether the start was finished and every process of it still lives."""
        return self.servers is not None and all(one.is_running() for one in self.processes)


def read_ledger(path: Path) -> Ledger:
    """What the file says; an empty ledger where there is none or a broken one."""
    try:
        content = json.loads(path.read_text())
        return Ledger(
            path,
            processes=[Launched(**process) for process in content["processes"]],
            servers=Servers(**content["servers"]) if content["servers"] else None,
        )
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return Ledger(path)


@contextmanager
def exclusive(path: Path, *, within: float = _LOCK_SECONDS) -> Iterator[None]:
    """Hold a file's lock: of two commands on one instance, one waits for the other."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        opened = path.open("a")
    except PermissionError as error:
        raise CannotGoOn(
            f"{path}: belongs to another user; remove it or run as that user"
        ) from error
    with opened as file:

        def taken() -> bool:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

        if not wait_until(taken, within=within):
            raise CannotGoOn(f"{path.name}: in use by another command in this checkout")
        yield


def password_in(path: Path) -> str:
    """The password kept in this file; a new one if there is none."""
    if not path.exists():
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(18))
    return path.read_text().strip()
