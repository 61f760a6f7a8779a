"""Which model checker is used, and what is said where there is none."""

from pathlib import Path

import pytest

from trunkline_dev.servers.packages import NoPackages
from trunkline_dev.spin import find_spin


def test_the_one_on_path_is_used(tmp_path: Path) -> None:
    program = tmp_path / "spin"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)

    assert find_spin(tmp_path / "cache", path=str(tmp_path)) == program
    assert not (tmp_path / "cache").exists()


def test_without_packages_one_line_says_what_to_provide(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(NoPackages) as refused:
        find_spin(tmp_path / "cache")
    assert str(refused.value) == (
        "no spin here and no apt-get to fetch one with: put spin 6.5 on PATH to check the models"
    )
