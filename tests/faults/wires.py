"""A network of the laboratory's own: namespaces on a bridge, and what becomes of packets there.

Every place is a network namespace with one address. Whoever strikes says what becomes of packets
between two addresses, in the namespace of one of them; nothing is done to the machine's own.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import socket
import subprocess
import sys
import threading
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from trunkline_dev.nft import Nft, find_nft
from trunkline_dev.refusals import CannotGoOn

How = Literal["drop", "reset", "lose"]
LOST: Final = 30  # of a hundred packets, each way
_SECONDS: Final = 20.0
_NEW_NETWORK: Final = 0x40000000
_DONE: Final = {
    "drop": "drop",
    "reset": "meta l4proto tcp reject with tcp reset",
    "lose": f"numgen random mod 100 < {LOST} drop",
}


def refusal(cache: Path) -> str | None:
    """Why this machine does not let us have networks of our own; None if it does."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "network namespaces need root on Linux"
    missing = [name for name in ("ip", "nsenter") if shutil.which(name) is None]
    if missing:
        return f"no {missing[0]} here: network namespaces need iproute2 and util-linux"
    tried = f"trunkline-{os.getpid()}"
    try:
        run("ip", "netns", "add", tried)
        run("ip", "netns", "delete", tried)
        find_nft(cache)
    except CannotGoOn as error:
        return str(error)
    return None


def run(*command: str, said: str | None = None, environment: dict[str, str] | None = None) -> str:
    """What a command of the network's says; its complaint as a refusal."""
    done = subprocess.run(
        command,
        input=said,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=_SECONDS,
    )
    if done.returncode != 0:
        raise CannotGoOn(f"{' '.join(command[:4])}: {done.stderr.strip()[:300]}")
    return done.stdout


@dataclass
class Wires:
    """Places by name; `open` makes them and takes them away. One laboratory, one label."""

    folder: Path
    places: Sequence[str]
    nft: Nft
    sources: int = 0  # addresses outside, for whoever is to be told apart by the places
    _rules: dict[str, list[str]] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """Different for each checkout and instance: leftovers of another are not ours to remove."""
        return f"tl{zlib.crc32(str(self.folder).encode()) & 0xFFFF:04x}"

    def address(self, place: str) -> str:
        """Where a place is."""
        return self._numbered(1 + list(self.places).index(place))

    def source(self, number: int) -> str:
        """An address outside, from which one process reaches the places."""
        return self._numbered(101 + number)

    def _numbered(self, number: int) -> str:
        # The range for measurements (RFC 2544): nobody's network is there.
        return f"198.18.{zlib.crc32(self.label.encode()) & 0xFF}.{number}"

    def inside(self, place: str) -> tuple[str, ...]:
        """What to put before a command so that it runs there."""
        return ("nsenter", f"--net=/run/netns/{self.label}-{place}", "--")

    @contextmanager
    def open(self) -> Iterator[Wires]:
        """Make it all; take it all away."""
        self._remove()
        try:
            run("ip", "link", "add", self.label, "type", "bridge")
            for address in (self._numbered(254), *map(self.source, range(self.sources))):
                run("ip", "address", "add", f"{address}/24", "dev", self.label)
            run("ip", "link", "set", self.label, "up")
            for number, place in enumerate(self.places):
                self._make(place, f"{self.label}-{number}")
            yield self
        finally:
            self._remove()

    def _make(self, place: str, cable: str) -> None:
        name = f"{self.label}-{place}"
        run("ip", "netns", "add", name)
        run("ip", "link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", name)
        run("ip", "link", "set", cable, "master", self.label, "up")
        run("ip", "-n", name, "address", "add", f"{self.address(place)}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            run("ip", "-n", name, "link", "set", device, "up")

    def _remove(self) -> None:
        for path in sorted(Path("/run/netns").glob(f"{self.label}-*")):
            run("ip", "netns", "delete", path.name)
        if Path(f"/sys/class/net/{self.label}").exists():
            run("ip", "link", "delete", self.label)

    def strike(self, place: str, peers: Sequence[str], how: How) -> None:
        """From now on, both ways between this place and these addresses, until `heal`."""
        rules = self._rules.setdefault(place, [])
        for peer in peers:
            rules += [f"ip {end} {peer} {_DONE[how]}" for end in ("saddr", "daddr")]
        self._tell(place, rules)

    def heal(self) -> None:
        """All packets arrive again."""
        for place in list(self._rules):
            self._tell(place, [])
        self._rules.clear()

    def _tell(self, place: str, rules: Sequence[str]) -> None:
        said = "".join(
            f"chain {way} {{ type filter hook {way} priority 0;\n"
            + "".join(f"{rule}\n" for rule in rules if end in rule)
            + "}\n"
            for way, end in (("input", "saddr"), ("output", "daddr"))
        )
        table = f"table inet nemesis\ndelete table inet nemesis\ntable inet nemesis {{\n{said}}}\n"
        command = (*self.inside(place), str(self.nft.program), "-f", "-")
        run(*command, said=table, environment=self.nft.environment)

    def listening(self, place: str, port: int) -> socket.socket:
        """A socket that listens inside, and is held outside."""
        made: list[socket.socket] = []

        def enter() -> None:  # on a thread of its own: only that thread changes networks
            libc = ctypes.CDLL(None, use_errno=True)
            with Path(f"/run/netns/{self.label}-{place}").open() as there:
                if libc.setns(there.fileno(), _NEW_NETWORK) != 0:
                    return
            made.append(socket.create_server((self.address(place), port), backlog=128))

        thread = threading.Thread(target=enter, name=f"enter {place}")
        thread.start()
        thread.join(timeout=_SECONDS)
        if not made:
            raise CannotGoOn(f"no way into the network of {place}")
        return made[0]
