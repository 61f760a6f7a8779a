"""The locks hold every package that a member declares, by hash, and say not where from."""

import re
import tomllib
from pathlib import Path

import pytest

from trunkline_dev.checkout import checkout_root
from trunkline_dev.suites.plan import MEMBERS

LOCKS = checkout_root() / "requirements"
LOCK_OF = {"libs/common": "dev", "deploy/dev": "dev"}
# Beside what is tested: other frameworks in an environment of their own, and what draws plots.
PEERS, PLOTS = "peers.txt", "benchmarks.txt"


def declared(project: Path, *, group: str = "dev") -> set[str]:
    content = tomllib.loads(project.read_text())
    wanted = content["project"]["dependencies"] if "project" in content else []
    wanted += content.get("dependency-groups", {}).get(group, [])
    names = {re.split(r"[\[<>=!~;\s]", one)[0].lower() for one in wanted}
    return names - {"trunkline-common"}


def locked(lock: Path) -> dict[str, str]:
    """Name -> the lines of its entry."""
    entries = re.split(r"\n(?=\S)", lock.read_text().strip())
    return {entry.split("==")[0]: entry for entry in entries}


@pytest.mark.parametrize("member", [*MEMBERS, "."])
def test_what_a_member_declares_is_locked(member: str) -> None:
    for name in {"dev", LOCK_OF.get(member, Path(member).name or "dev")}:
        assert declared(checkout_root() / member / "pyproject.toml") <= set(
            locked(LOCKS / f"{name}.txt")
        )


def test_what_draws_plots_is_locked() -> None:
    wanted = declared(checkout_root() / "pyproject.toml", group="benchmarks")
    assert wanted
    assert wanted <= set(locked(LOCKS / PLOTS))


@pytest.mark.parametrize("lock", sorted(LOCKS.glob("*.txt")), ids=lambda lock: lock.name)
def test_a_lock_names_versions_and_hashes_and_no_address(lock: Path) -> None:
    assert not re.search(r"://|^\s*-(?!-hash=)|\s@\s", lock.read_text(), re.MULTILINE)
    for name, entry in locked(lock).items():
        assert "==" in entry, name
        assert "--hash=sha256:" in entry, name


def test_every_lock_has_the_versions_that_are_tested() -> None:
    tested = locked(LOCKS / "dev.txt")
    for lock in LOCKS.glob("*.txt"):
        if lock.name not in {"bootstrap.txt", PEERS}:
            for name, entry in locked(lock).items():
                if lock.name == PLOTS and name not in tested:
                    continue
                assert entry.split(" ")[0] == tested[name].split(" ")[0], f"{lock.name}: {name}"
