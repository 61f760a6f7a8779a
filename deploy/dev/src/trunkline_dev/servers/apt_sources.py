"""Where this machine gets Debian's packages from: its own apt sources, in both of their formats."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

_RELEASES = frozenset(
    [
        "buster",
        "bullseye",
        "bookworm",
        "trixie",
        "forky",
        "duke",
        "sid",
        "oldoldstable",
        "oldstable",
        "stable",
        "testing",
        "unstable",
    ]
)
_ONE_LINE = re.compile(
    r"^deb\s+(?:\[[^\]]*\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)\s+(?P<components>.+)$"
)


@dataclass(frozen=True, slots=True)
class Source:
    """One address and one suite that apt is told of."""

    uri: str
    suite: str
    components: tuple[str, ...]


def debian_mirror(folder: Path = Path("/etc/apt")) -> str | None:
    """The address of the mirror of Debian's main archive; None where the machine names none."""
    for source in read_sources(folder):
        usable = not source.uri.startswith("cdrom:")
        if usable and source.suite in _RELEASES and "main" in source.components:
            return source.uri
    return None


def read_sources(folder: Path) -> Iterator[Source]:
    """Every source in the order in which apt reads its files."""
    parts = folder / "sources.list.d"
    files = [folder / "sources.list", *sorted(parts.glob("*"))]
    for file in files:
        if file.suffix == ".list" and file.is_file():
            yield from parse_one_line(file.read_text(errors="replace").splitlines())
        elif file.suffix == ".sources" and file.is_file():
            yield from parse_deb822(file.read_text(errors="replace"))


def parse_one_line(lines: Iterable[str]) -> Iterator[Source]:
    """`deb [options] uri suite component...`, one to a line."""
    for line in lines:
        found = _ONE_LINE.match(line.partition("#")[0].strip())
        if found:
            yield Source(found["uri"], found["suite"], tuple(found["components"].split()))


def parse_deb822(text: str) -> Iterator[Source]:
    """Stanzas of `Field: words`, which may go on in lines that begin with a blank."""
    kept = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for stanza in re.split(r"\n[ \t]*\n", kept):
        fields = _fields(stanza)
        if "deb" not in fields.get("types", ()) or fields.get("enabled", ("yes",)) == ("no",):
            continue
        for uri in fields.get("uris", ()):
            for suite in fields.get("suites", ()):
                yield Source(uri, suite, fields.get("components", ()))


def _fields(stanza: str) -> dict[str, tuple[str, ...]]:
    fields: dict[str, tuple[str, ...]] = {}
    name = ""
    for line in stanza.splitlines():
        if line[:1] in (" ", "\t"):
            fields[name] = (*fields.get(name, ()), *line.split())
        elif ":" in line:
            name, _, rest = line.partition(":")
            name = name.strip().lower()
            fields[name] = tuple(rest.split())
    return fields
