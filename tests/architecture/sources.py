"""What the architecture tests read: every file of the checkout that git knows or would take."""

from __future__ import annotations

import ast
import subprocess
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
_SECONDS: Final = 30.0


@cache
def files() -> tuple[Path, ...]:
    """Every file that is tracked, or new and not ignored."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=_SECONDS,
    )
    found = {ROOT / name for name in listing.stdout.split("\0") if name}
    return tuple(sorted(path for path in found if path.is_file()))


def shown(path: Path) -> str:
    """A path as a reader of the checkout knows it."""
    return str(path.relative_to(ROOT))


@cache
def programs() -> tuple[Path, ...]:
    """Every module that is shipped."""
    return tuple(path for path in files() if path.suffix == ".py" and "src" in path.parts)


@cache
def modules_of_tests() -> tuple[Path, ...]:
    """Every module of the tests."""
    return tuple(
        path for path in files() if path.suffix == ".py" and path.is_relative_to(ROOT / "tests")
    )


@cache
def tree(path: Path) -> ast.Module:
    """A module, parsed."""
    return ast.parse(path.read_text(), filename=shown(path))


def module_name(path: Path) -> str:
    """The dotted name that a shipped module is imported by."""
    parts = path.with_suffix("").parts
    inside = parts[parts.index("src") + 1 :]
    return ".".join(inside[:-1] if inside[-1] == "__init__" else inside)
