"""Nothing in the repository names the machine it was written on, or where packages came from."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.architecture.sources import files, shown

_MACHINE = r"(?<![\w.:{}$/-])/(?:work|root|home/\w+|Users/\w+)/"
_INDEX = (
    r"--(?:extra-)?index-url|--find-links|files\.python"
    r"hosted|https?://[^\s\"']*/simp"
    r"le\b"
)
FOREIGN = re.compile(f"{_MACHINE}|{_INDEX}")

# Text that others wrote, as they wrote it.
_THEIRS = {"static", "LICENSE"}


def foreign_in(text: str) -> list[str]:
    """What a stranger's checkout would not have."""
    return [match.group() for match in FOREIGN.finditer(text)]


def _readable(path: Path) -> str:
    try:
        return path.read_text()
    except UnicodeDecodeError:
        return ""


def test_no_path_of_a_machine_and_no_index() -> None:
    found = {
        shown(path): foreign_in(_readable(path))
        for path in files()
        if not _THEIRS & set(path.parts) and path != Path(__file__)
    }

    assert {name: what for name, what in found.items() if what} == {}


@pytest.mark.parametrize(
    "text",
    [
        "cd /work" + "/main",
        "open('/root" + "/x')",
        "/home/someone" + "/project",
        "pip install --index-url x",
        "https://a.example/simp" + "le/aiohttp",
    ],
)
def test_what_is_foreign_is_seen(text: str) -> None:
    assert foreign_in(text)


@pytest.mark.parametrize("text", ["services/work/", "deploy/", "file:///var/lib/trunkline", "/tmp"])
def test_what_every_machine_has_passes(text: str) -> None:
    assert not foreign_in(text)


def test_no_name_has_a_blank() -> None:
    """Nobody looks at what no tool looks at."""
    assert not [shown(path) for path in files() if any(c.isspace() for c in shown(path))]
