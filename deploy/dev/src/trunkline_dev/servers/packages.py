"""Debian's packages unpacked into a folder of ours: nothing is installed, apt's own files stay."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from trunkline_dev.refusals import CannotGoOn
from trunkline_dev.servers.apt_sources import debian_mirror
from trunkline_dev.servers.state import exclusive

_SECONDS: Final = 300.0


class NoPackages(CannotGoOn):
    """This system has no way to Debian's packages; the sentence says what to provide instead."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A program of Debian's: its package, what of its closure is unpacked, and what it is for.

    `provide` says what a person may do where Debian's packages cannot be had.
    """

    name: str
    provide: str
    suite: str
    package: str
    unpacked: re.Pattern[str]


def fetch(wanted: Wanted, root: Path, settle: Callable[[Path], None]) -> Path:
    """The folder with the program's files, named for its version; fetched if not there, once."""
    root = root.resolve()
    stamp = root / "complete"

    def complete() -> bool:
        # Settled programs hold the folder's own path, so a copy that was moved is no use.
        return stamp.exists() and stamp.read_text() == str(root)

    if complete():
        return root
    with exclusive(root.with_name(f"{root.name}.lock")):
        if complete():  # by another command, while this one waited
            return root
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir(parents=True)
        _unpack(wanted, root)
        settle(root)
        stamp.write_text(str(root))
    return root


def run(wanted: Wanted, command: Sequence[str], *, folder: Path | None = None) -> str:
    """What a command says; its first complaint as a refusal if it fails."""
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
        raise CannotGoOn(f"{wanted.name} could not be fetched: {reason}; {wanted.provide}")
    return done.stdout


def _unpack(wanted: Wanted, root: Path) -> None:
    options = _private_apt(wanted, root / "apt")
    version = root.name
    print(
        f"fetching {wanted.name} {version} from Debian {wanted.suite}", file=sys.stderr, flush=True
    )
    run(wanted, ["apt-get", *options, "update", "-qq"])
    simulated = ["install", "--no-install-recommends", "-s", wanted.package]
    plan = run(wanted, ["apt-get", *options, *simulated])
    packages = sorted(set(wanted.unpacked.findall(plan)))
    debs = root / "debs"
    debs.mkdir()
    run(wanted, ["apt-get", *options, "download", "-qq", *packages], folder=debs)
    for deb in sorted(debs.glob("*.deb")):
        run(wanted, ["dpkg-deb", "-x", str(deb), str(root)])
    shutil.rmtree(debs)
    shutil.rmtree(root / "apt")
    for unread in ("doc", "man", "locale", "info"):
        shutil.rmtree(root / "usr/share" / unread, ignore_errors=True)


def _private_apt(wanted: Wanted, work: Path) -> list[str]:
    """Options that keep apt's every file below this folder; the system's lists stay as they are."""
    mirror = debian_mirror()
    missing = [name for name in ("apt-get", "dpkg-deb") if shutil.which(name) is None]
    if missing or mirror is None:
        what = f"no {missing[0]}" if missing else "no Debian mirror in its apt sources"
        raise NoPackages(f"no {wanted.name} here and {what} to fetch one with: {wanted.provide}")
    for folder in ("lists/partial", "cache/archives/partial", "etc"):
        (work / folder).mkdir(parents=True)
    (work / "status").touch()
    source = f"deb [signed-by={_keyring(wanted)}] {mirror} {wanted.suite} main\n"
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


def _keyring(wanted: Wanted) -> Path:
    folder = Path("/usr/share/keyrings")
    for name in ("debian-archive-keyring.gpg", "debian-archive-keyring.pgp"):
        if (folder / name).exists():
            return folder / name
    raise NoPackages(
        f"no {wanted.name} here and no debian-archive-keyring to fetch one: {wanted.provide}"
    )
