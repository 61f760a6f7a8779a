"""The program that drops, resets and loses packets: the one on PATH, else Debian's unpacked."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from trunkline_dev.servers.packages import Wanted, fetch

# Needs of its machine no more than a libc of 2022 or later; what else it needs comes with it.
NFT: Final = Wanted(
    name="nftables",
    provide="put nft on PATH to cut networks",
    suite="bookworm",
    package="nftables",
    unpacked=re.compile(
        r"^Inst ((?:nftables|libnftables1|libnftnl11|libmnl0|libjansson4|libxtables12|libedit2"
        r"|libgmp10|libbsd0|libmd0|libtinfo6)\S*) ",
        re.MULTILINE,
    ),
)


@dataclass(frozen=True, slots=True)
class Nft:
    """The program, and what its environment must hold."""

    program: Path
    environment: dict[str, str] = field(default_factory=lambda: dict(os.environ))


def find_nft(cache: Path, *, path: str | None = None) -> Nft:
    """The program; where there is no way to one, the refusal says what to provide."""
    on_path = shutil.which("nft", path=path)
    if on_path is not None:
        return Nft(Path(on_path))
    root = fetch(NFT, cache / "1.0", lambda _root: None)
    folders = sorted({str(one.parent) for one in root.glob("**/*.so.*")})
    return Nft(root / "usr/sbin/nft", {**os.environ, "LD_LIBRARY_PATH": ":".join(folders)})
